"""What a user may do, asked with every call: a function, so that the session plans it once."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION granted_permissions(of_user integer) RETURNS text[] STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT content_type.app_label || '.' || permission.codename
      FROM auth_permission permission JOIN django_content_type content_type
        ON content_type.id = permission.content_type_id
     WHERE permission.id IN (
       SELECT permission_id FROM auth_user_user_permissions WHERE user_id = of_user
       UNION ALL
       SELECT granted.permission_id FROM auth_user_groups member
         JOIN auth_group_permissions granted USING (group_id) WHERE member.user_id = of_user));
END $$;
"""
DROP = "DROP FUNCTION granted_permissions(integer);"


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("targets", "0021_failed_sign_ins"),
    ]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
