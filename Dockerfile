# The bot, as an account without rights. How to run it: docs/how-to/deploy.md.
FROM python:3.11-slim

# git keeps the heads of the logs (MAINT_ANCHOR_GIT), the client programs are for `command` steps of yours (psql, pg_dump).
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client postgresql-client tini \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --system --create-home --uid 10001 maint
WORKDIR /opt/maint
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
# A checkout stays one: the bot starts its detached jobs from there.
COPY . .
# Compiled here: the account below may not write beside the source, and would compile it anew at every start.
RUN pip install --no-cache-dir --no-deps --editable . \
 && python -m compileall -q bot commands integrations \
 && install -d -o maint -g maint /var/lib/maint

USER maint
ENV MAINT_DATA_DIR=/var/lib/maint
VOLUME /var/lib/maint
EXPOSE 3000
# tini hands SIGTERM on, and buries the jobs whose parents are gone.
ENTRYPOINT ["tini", "--", "maint"]
CMD ["serve"]
