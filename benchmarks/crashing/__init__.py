"""The crash campaign: whole maintenances on stand-ins and a real PostgreSQL, with everything going wrong meanwhile."""
