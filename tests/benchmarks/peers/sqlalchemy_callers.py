"""Who calls the service on SQLAlchemy, and whether he may unenrol."""

from typing import Any

from sqlalchemy import Select, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, joinedload

from tests.benchmarks.peers.conventions import Credentials, NotAuthenticated, NotPermitted, RecentCallers, is_right
from tests.benchmarks.peers.sqlalchemy_models import (
    ApiUser,
    ContentType,
    GroupPermission,
    Member,
    Permission,
    User,
    UserPermission,
)

recent_callers = RecentCallers()


async def api_user_of(session: AsyncSession, credentials: Credentials) -> Any:
    """Who calls. Raises `NotAuthenticated`, `NotPermitted`."""
    if credentials is None:
        raise NotAuthenticated
    if (recent := recent_callers.find(credentials)) is not None:
        return recent
    wanted = select(ApiUser).join(ApiUser.user).where(User.username == credentials.username)
    caller: Any = await session.scalar(wanted.options(contains_eager(ApiUser.user), joinedload(ApiUser.brand)))
    digests = (caller.secret_digest, caller.former_digest, caller.former_until) if caller else ("", "", None)
    if not is_right(credentials.password, *digests):
        raise NotAuthenticated
    if not (caller.is_active and caller.user.is_active and caller.brand.is_active):
        raise NotAuthenticated
    if not caller.user.is_superuser and "unenroll" not in (await session.scalars(permissions_of(caller.user_id))).all():
        raise NotPermitted
    for each in (caller, caller.user, caller.brand):  # loaded, and of no session any more
        session.expunge(each)
    recent_callers.keep(credentials, caller)
    return caller


def permissions_of(user_id: int) -> Select[Any]:
    own = select(UserPermission.permission_id).where(UserPermission.user_id == user_id)
    by_group = select(GroupPermission.permission_id).join(Member, Member.group_id == GroupPermission.group_id)
    return (
        select(Permission.codename)
        .join(ContentType, ContentType.id == Permission.content_type_id)
        .where(
            ContentType.app_label == "enrollments",
            Permission.id.in_(union(own, by_group.where(Member.user_id == user_id))),
        )
    )
