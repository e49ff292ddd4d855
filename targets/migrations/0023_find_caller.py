"""Who calls and what he may do, asked with every call: one function, whose plans the session keeps."""

from importlib import import_module

from django.db import migrations

# It decides nothing: config/authentication.py reads the rows. Always one row; what there is not is NULL.
FUNCTION = """
CREATE FUNCTION find_caller(
    of_username varchar, of_token_checksum varchar, asked_at timestamptz,
    OUT api_user targets_apiuser, OUT person auth_user, OUT brand targets_brand,
    OUT permissions text[], OUT has_second_factor boolean, OUT scope text, OUT client_id varchar
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
  permissions := ARRAY(
    SELECT content_type.app_label || '.' || permission.codename
      FROM auth_permission permission JOIN django_content_type content_type
        ON content_type.id = permission.content_type_id
     WHERE permission.id IN (
       SELECT own.permission_id FROM auth_user_user_permissions own WHERE own.user_id = person_id
       UNION ALL
       SELECT granted.permission_id FROM auth_user_groups member
         JOIN auth_group_permissions granted USING (group_id) WHERE member.user_id = person_id));
  has_second_factor := EXISTS (
    SELECT FROM otp_totp_totpdevice device WHERE device.confirmed AND device.user_id = person_id);
END $$;
"""
DROP = "DROP FUNCTION find_caller(varchar, varchar, timestamptz);"

before = import_module("targets.migrations.0022_granted_permissions")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("oauth2_provider", "0012_add_token_checksum"),
        ("otp_totp", "0001_initial"),
        ("targets", "0022_granted_permissions"),
    ]

    operations = [
        migrations.RunSQL(FUNCTION, DROP),
        migrations.RunSQL(before.DROP, before.FUNCTION),
    ]
