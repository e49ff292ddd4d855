"""Of a caller's permissions only the one that the call asks for is looked up, not all of them with every call."""

from importlib import import_module

from django.db import migrations

# It decides nothing: config/authentication.py reads the rows. Always one row; what there is not is NULL.
FUNCTION = """
CREATE FUNCTION find_caller(
    of_username varchar, of_token_checksum varchar, asked_at timestamptz, of_app varchar, of_codename varchar,
    OUT api_user targets_apiuser, OUT person auth_user, OUT brand targets_brand,
    OUT is_granted boolean, OUT has_second_factor boolean, OUT scope text, OUT client_id varchar
) STABLE LANGUAGE plpgsql AS $$
DECLARE
  person_id integer;
BEGIN
  IF of_token_checksum IS NULL THEN
    SELECT each.id INTO person_id FROM auth_user each WHERE each.username = of_username;
  ELSE
    SELECT client.user_id, token.scope, client.client_id INTO person_id, scope, client_id
      FROM oauth2_provider_accesstoken token
      JOIN oauth2_provider_application client ON client.id = token.application_id
     WHERE token.token_checksum = of_token_checksum AND token.expires > asked_at;
  END IF;
  SELECT * INTO api_user FROM targets_apiuser each WHERE each.user_id = person_id;
  SELECT * INTO person FROM auth_user each WHERE each.id = api_user.user_id;
  SELECT * INTO brand FROM targets_brand each WHERE each.id = api_user.brand_id;
  is_granted := EXISTS (
    SELECT FROM django_content_type content_type
      JOIN auth_permission permission ON permission.content_type_id = content_type.id
     WHERE content_type.app_label = of_app AND permission.codename = of_codename
       AND (EXISTS (
              SELECT FROM auth_user_user_permissions own
               WHERE own.user_id = person_id AND own.permission_id = permission.id)
         OR EXISTS (
              SELECT FROM auth_user_groups member JOIN auth_group_permissions granted USING (group_id)
               WHERE member.user_id = person_id AND granted.permission_id = permission.id)));
  has_second_factor := EXISTS (
    SELECT FROM otp_totp_totpdevice device WHERE device.confirmed AND device.user_id = person_id);
END $$;
"""
DROP = "DROP FUNCTION find_caller(varchar, varchar, timestamptz, varchar, varchar);"

before = import_module("targets.migrations.0023_find_caller")


class Migration(migrations.Migration):
    dependencies = [("targets", "0026_no_doubled_indexes")]

    operations = [
        migrations.RunSQL(before.DROP, before.FUNCTION),
        migrations.RunSQL(FUNCTION, DROP),
    ]
