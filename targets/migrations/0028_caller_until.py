"""A caller's token comes with the instant at which it ends, since he is remembered for a moment."""

from importlib import import_module

from django.db import migrations

# It decides nothing: targets/authorization.py reads the row, whose columns are in its order. No row: no API user.
FUNCTION = """
CREATE FUNCTION find_caller(
    of_username varchar, of_token_checksum varchar, asked_at timestamptz, of_app varchar, of_codename varchar
) RETURNS TABLE (
    person_id integer, username varchar, password varchar, is_person_active boolean, is_staff boolean,
    is_superuser boolean,
    id_of_brand bigint, brand_name varchar, time_zone varchar, sandbox boolean, clock_at timestamptz,
    is_brand_active boolean,
    api_user_id bigint, user_id integer, brand_id bigint, secret_form varchar, secret_digest varchar,
    former_digest varchar, former_until timestamptz,
    is_api_user_active boolean, requests_per_minute integer, reads_primary_until timestamptz,
    is_granted boolean, has_second_factor boolean, scope text, client_id varchar, ends_at timestamptz
) STABLE ROWS 1 LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  of_person integer;
  of_permission integer;
  of_granted boolean;
  of_factor boolean;
  of_scope text;
  of_client varchar;
  of_end timestamptz;
BEGIN
  IF of_token_checksum IS NULL THEN
    SELECT each.id INTO of_person FROM auth_user each WHERE each.username = of_username;
  ELSE
    SELECT client.user_id, token.scope, client.client_id, token.expires INTO of_person, of_scope, of_client, of_end
      FROM oauth2_provider_accesstoken token
      JOIN oauth2_provider_application client ON client.id = token.application_id
     WHERE token.token_checksum = of_token_checksum AND token.expires > asked_at;
  END IF;
  SELECT permission.id INTO of_permission
    FROM django_content_type content_type
    JOIN auth_permission permission ON permission.content_type_id = content_type.id
   WHERE content_type.app_label = of_app AND permission.codename = of_codename;
  -- Each for itself, by its index: in one query whole tables would be hashed.
  of_granted := EXISTS (
    SELECT FROM auth_user_groups member
      JOIN auth_group_permissions granted ON granted.group_id = member.group_id AND granted.permission_id = of_permission
     WHERE member.user_id = of_person);
  IF NOT of_granted THEN
    of_granted := EXISTS (
      SELECT FROM auth_user_user_permissions own
       WHERE own.user_id = of_person AND own.permission_id = of_permission);
  END IF;
  of_factor := EXISTS (SELECT FROM otp_totp_totpdevice device WHERE device.confirmed AND device.user_id = of_person);
  RETURN QUERY
  SELECT person.id, person.username, person.password, person.is_active, person.is_staff, person.is_superuser,
         brand.id, brand.name, brand.time_zone, brand.sandbox, brand.clock_at, brand.is_active,
         api_user.id, api_user.user_id, api_user.brand_id, api_user.secret_form, api_user.secret_digest,
         api_user.former_digest, api_user.former_until,
         api_user.is_active, api_user.requests_per_minute, api_user.reads_primary_until,
         of_granted, of_factor, of_scope, of_client, of_end
    FROM auth_user person
    JOIN targets_apiuser api_user ON api_user.user_id = person.id
    JOIN targets_brand brand ON brand.id = api_user.brand_id
   WHERE person.id = of_person;
END $$;
"""

before = import_module("targets.migrations.0027_caller_and_permission")


class Migration(migrations.Migration):
    dependencies = [("targets", "0027_caller_and_permission")]

    operations = [migrations.RunSQL(before.DROP, before.FUNCTION), migrations.RunSQL(FUNCTION, before.DROP)]
