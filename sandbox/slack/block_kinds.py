"""The shape of every block and element known here, after https://docs.slack.dev/reference/block-kit.

There is no official schema of Block Kit; the limits are those of the reference pages of each kind.
"""

from sandbox.slack.shapes import Check, anything, array, boolean, by_type, integer, record, string

TYPE = {"type": string()}
BLOCK_ID: dict[str, Check] = {"block_id": string(255, least=1)}
ACTION_ID: dict[str, Check] = {"action_id": string(255, least=1)}
DATE = string(pattern=r"\d{4}-\d{2}-\d{2}")
TIME = string(pattern=r"([01]\d|2[0-3]):[0-5]\d")
CONFIRM_STYLE = string(among={"primary", "danger"})


def plain(limit: int, least: int = 1) -> Check:
    """A plain_text object."""
    known = record(TYPE | {"text": string(limit, least=least)}, {"emoji": boolean})
    return by_type({"plain_text": known}, "text")


def text(limit: int, least: int = 1) -> Check:
    """A plain_text or mrkdwn object."""
    words = TYPE | {"text": string(limit, least=least)}
    kinds = {"plain_text": record(words, {"emoji": boolean}), "mrkdwn": record(words, {"verbatim": boolean})}
    return by_type(kinds, "text")


CONFIRM = record(
    {"title": plain(100), "text": text(300)}, {"confirm": plain(30), "deny": plain(30), "style": CONFIRM_STYLE}
)
OPTION = record({"text": text(75), "value": string(150, least=1)}, {"description": text(75), "url": string(3000)})
OPTIONS = array(OPTION, 100)
OPTION_GROUPS = array(record({"label": plain(75), "options": OPTIONS}), 100)
FOCUS: dict[str, Check] = {"focus_on_load": boolean}
PLACEHOLDER: dict[str, Check] = {"placeholder": plain(150)}
COMMON: dict[str, Check] = {**ACTION_ID, "confirm": CONFIRM}
SELECT: dict[str, Check] = {**COMMON, **FOCUS, **PLACEHOLDER}
MULTI: dict[str, Check] = {**SELECT, "max_selected_items": integer(1, 100)}
IDS = array(string(least=1), 100)
LISTED: dict[str, Check] = {"options": OPTIONS, "option_groups": OPTION_GROUPS}
TYPED: dict[str, Check] = {
    **ACTION_ID,
    **FOCUS,
    **PLACEHOLDER,
    "initial_value": string(),
    "dispatch_action_config": record({}, {"trigger_actions_on": array(string(), 2)}),
}
IMAGE_BODY: dict[str, Check] = {"image_url": string(3000, least=1), "slack_file": anything}

BUTTON = record(
    TYPE | {"text": plain(75)},
    {
        **COMMON,
        "url": string(3000),
        "value": string(2000),
        "style": CONFIRM_STYLE,
        "accessibility_label": string(75),
    },
)

CHOICES: dict[str, Check] = {
    "static_select": record(TYPE, {**SELECT, **LISTED, "initial_option": OPTION}),
    "multi_static_select": record(TYPE, {**MULTI, **LISTED, "initial_options": OPTIONS}),
    "external_select": record(TYPE, {**SELECT, "initial_option": OPTION, "min_query_length": integer(0, 100)}),
    "users_select": record(TYPE, {**SELECT, "initial_user": string()}),
    "multi_users_select": record(TYPE, {**MULTI, "initial_users": IDS}),
    "channels_select": record(TYPE, {**SELECT, "initial_channel": string(), "response_url_enabled": boolean}),
    "conversations_select": record(
        TYPE,
        {
            **SELECT,
            "initial_conversation": string(),
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
            "filter": anything,
        },
    ),
    "radio_buttons": record(TYPE | {"options": array(OPTION, 10)}, {**COMMON, **FOCUS, "initial_option": OPTION}),
    "checkboxes": record(
        TYPE | {"options": array(OPTION, 10)}, {**COMMON, **FOCUS, "initial_options": array(OPTION, 10)}
    ),
    "datepicker": record(TYPE, {**SELECT, "initial_date": DATE}),
    "timepicker": record(TYPE, {**SELECT, "initial_time": TIME, "timezone": string(least=1)}),
    "datetimepicker": record(TYPE, {**COMMON, **FOCUS, "initial_date_time": integer(10**9, 10**10 - 1)}),
}

TEXT_INPUTS: dict[str, Check] = {
    "plain_text_input": record(
        TYPE,
        {**TYPED, "multiline": boolean, "min_length": integer(0, 3000), "max_length": integer(1, 3000)},
    ),
    "email_text_input": record(TYPE, TYPED),
    "url_text_input": record(TYPE, TYPED),
    "number_input": record(
        TYPE | {"is_decimal_allowed": boolean}, {**TYPED, "min_value": string(), "max_value": string()}
    ),
}

OVERFLOW = record(TYPE | {"options": array(OPTION, 5)}, COMMON)
IMAGE_ELEMENT = record(TYPE | {"alt_text": string(2000, least=1)}, IMAGE_BODY)
PRESSED: dict[str, Check] = {"button": BUTTON, "overflow": OVERFLOW}

RICH = by_type(
    dict.fromkeys(("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"), anything),
    "rich text",
)

BLOCKS: dict[str, Check] = {
    "section": record(
        TYPE,
        {
            **BLOCK_ID,
            "text": text(3000),
            "fields": array(text(2000), 10),
            "accessory": by_type({**PRESSED, **CHOICES, "image": IMAGE_ELEMENT}, "accessory"),
            "expand": boolean,
        },
    ),
    "header": record(TYPE | {"text": plain(150)}, BLOCK_ID),
    "divider": record(TYPE, BLOCK_ID),
    "context": record(
        TYPE
        | {
            "elements": array(
                by_type({"image": IMAGE_ELEMENT, **dict.fromkeys(("plain_text", "mrkdwn"), text(3000))}, "element"), 10
            )
        },
        BLOCK_ID,
    ),
    "actions": record(TYPE | {"elements": array(by_type({**PRESSED, **CHOICES}, "element"), 25)}, BLOCK_ID),
    "image": record(TYPE | {"alt_text": string(2000, least=1)}, {**BLOCK_ID, **IMAGE_BODY, "title": plain(2000)}),
    "input": record(
        TYPE | {"label": plain(2000), "element": by_type({**CHOICES, **TEXT_INPUTS}, "input element")},
        {**BLOCK_ID, "hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": record(TYPE | {"elements": array(RICH, 100)}, BLOCK_ID),
    "markdown": record(TYPE | {"text": string(12000, least=1)}, BLOCK_ID),
}

BLOCK = by_type(BLOCKS, "block")

VIEW_OPTIONS: dict[str, Check] = {
    "private_metadata": string(3000),
    "callback_id": string(255),
    "external_id": string(255),
}
VIEWS: dict[str, Check] = {
    "modal": record(
        TYPE | {"title": plain(24), "blocks": array(BLOCK, 100)},
        {
            **VIEW_OPTIONS,
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": record(TYPE | {"blocks": array(BLOCK, 100)}, VIEW_OPTIONS),
}
VIEW = by_type(VIEWS, "view")
