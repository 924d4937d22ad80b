"""Every route there is: the server is built from this table, and the OpenAPI document too."""

from typing import Any

from claw_crds.configuration import CONFIGURATION_PATH, STATUS_PATH, RuntimeConfiguration, RuntimeReport
from claw_runtime.memory.entries import ChangedMemory, FoundMemories, Memory, MemoryHistory, MemoryPage, NewMemory
from claw_runtime.problems import (
    DATABASE_AWAY,
    INVALID_REQUEST,
    MODEL_BUSY,
    MODEL_FAILED,
    NOT_CONFIGURED,
    NOT_FOUND,
    OTHER_AGENT,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    SKILL_DISABLED,
    SKILL_NOT_IN_PLAN,
    WORKSPACE_FULL,
    WRONG_INSTANCE,
)
from claw_runtime.routes import MIB, Access, Nothing, Route, chat, internal, memories, skills, status, usage, workspace
from claw_runtime.routes.lists import PageQuery
from claw_runtime.routes.memories import SearchQuery
from claw_runtime.routes.workspace import (
    File,
    FileHistory,
    FileList,
    NewContent,
    PrefixQuery,
    Restoration,
    VersionQuery,
)
from claw_runtime.skills import Skill, SkillList
from claw_runtime.turns.chat import ChatReply, ChatRequest
from claw_runtime.turns.conversations import ConversationPage, MessagePage

CUSTOMER, CUSTOMER_ALWAYS, OPERATOR, OPEN = Access.CUSTOMER, Access.CUSTOMER_ALWAYS, Access.OPERATOR, Access.OPEN

# method, path, handler, who may call, body, query, answer
ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "POST",
        "/api/chat",
        chat.chat,
        CUSTOMER,
        ChatRequest,
        Nothing,
        ChatReply,
        problems=(NOT_FOUND, OTHER_AGENT, SKILL_DISABLED, SKILL_NOT_IN_PLAN, MODEL_BUSY, MODEL_FAILED),
        streams=True,
    ),
    Route("GET", "/api/conversations", chat.conversations, CUSTOMER, Nothing, PageQuery, ConversationPage),
    Route(
        "GET",
        "/api/conversations/{id}",
        chat.conversation,
        CUSTOMER,
        Nothing,
        PageQuery,
        MessagePage,
        problems=(NOT_FOUND,),
    ),
    Route(
        "DELETE",
        "/api/conversations/{id}",
        chat.delete_conversation,
        CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND,),
    ),
    Route("POST", "/api/memory", memories.add, CUSTOMER, NewMemory, Nothing, Memory, status=201),
    Route("GET", "/api/memory", memories.page, CUSTOMER, Nothing, PageQuery, MemoryPage),
    Route("GET", "/api/memory/search", memories.search, CUSTOMER, Nothing, SearchQuery, FoundMemories),
    Route("GET", "/api/memory/export", memories.export, CUSTOMER, Nothing, Nothing, Memory, lines=True),
    Route("GET", "/api/memory/{id}", memories.read, CUSTOMER, Nothing, Nothing, Memory, problems=(NOT_FOUND,)),
    Route(
        "PUT", "/api/memory/{id}", memories.supersede, CUSTOMER, ChangedMemory, Nothing, Memory, problems=(NOT_FOUND,)
    ),
    Route(
        "GET",
        "/api/memory/{id}/history",
        memories.history,
        CUSTOMER,
        Nothing,
        Nothing,
        MemoryHistory,
        problems=(NOT_FOUND,),
    ),
    Route("DELETE", "/api/memory/{id}", memories.delete, CUSTOMER, Nothing, Nothing, None, problems=(NOT_FOUND,)),
    Route("GET", "/api/skills", skills.listing, CUSTOMER, Nothing, Nothing, SkillList),
    Route(
        "POST",
        "/api/skills/{name}/enable",
        skills.enable,
        CUSTOMER,
        Nothing,
        Nothing,
        Skill,
        problems=(NOT_FOUND, SKILL_NOT_IN_PLAN),
    ),
    Route(
        "POST",
        "/api/skills/{name}/disable",
        skills.disable,
        CUSTOMER,
        Nothing,
        Nothing,
        Skill,
        problems=(NOT_FOUND, SKILL_NOT_IN_PLAN),
    ),
    Route("GET", "/api/workspace", workspace.listing, CUSTOMER, Nothing, PrefixQuery, FileList),
    # What has a name of its own comes before the files: a path may be anything else.
    Route("GET", "/api/workspace/history/{path}", workspace.history, CUSTOMER, Nothing, Nothing, FileHistory),
    Route(
        "POST",
        "/api/workspace/history/{path}",
        workspace.restore,
        CUSTOMER,
        Restoration,
        Nothing,
        File,
        problems=(NOT_FOUND, WORKSPACE_FULL),
    ),
    Route("GET", "/api/workspace/{path}", workspace.read, CUSTOMER, Nothing, VersionQuery, File, problems=(NOT_FOUND,)),
    Route(
        "PUT",
        "/api/workspace/{path}",
        workspace.write,
        CUSTOMER,
        NewContent,
        Nothing,
        File,
        problems=(NOT_FOUND, PRECONDITION_FAILED, WORKSPACE_FULL),
        headers=("If-Match", "If-None-Match"),
    ),
    Route(
        "DELETE",
        "/api/workspace/{path}",
        workspace.delete,
        CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND, PRECONDITION_FAILED, INVALID_REQUEST, PRECONDITION_REQUIRED),
        headers=("If-Match",),
    ),
    Route("GET", "/api/usage", usage.summary, CUSTOMER_ALWAYS, Nothing, Nothing, usage.UsageSummary),
    Route("GET", "/api/usage/daily", usage.daily, CUSTOMER, Nothing, usage.DailyQuery, usage.DailyAnswer),
    Route("GET", "/status", status.status, CUSTOMER_ALWAYS, Nothing, Nothing, status.Status),
    Route("GET", "/health", status.health, OPEN, Nothing, Nothing, status.Health),
    Route(
        "GET",
        "/ready",
        status.ready,
        OPEN,
        Nothing,
        Nothing,
        status.Readiness,
        problems=(DATABASE_AWAY, NOT_CONFIGURED),
    ),
    Route("GET", "/openapi.json", status.openapi, OPEN, Nothing, Nothing, status.ApiDocument),
    Route(
        "PUT",
        CONFIGURATION_PATH,
        internal.configure,
        OPERATOR,
        RuntimeConfiguration,
        Nothing,
        RuntimeReport,
        problems=(WRONG_INSTANCE, DATABASE_AWAY),
        body_limit=8 * MIB,
    ),
    Route(
        "GET",
        CONFIGURATION_PATH,
        internal.configuration,
        OPERATOR,
        Nothing,
        Nothing,
        RuntimeConfiguration,
        problems=(NOT_CONFIGURED,),
    ),
    Route("GET", STATUS_PATH, internal.report, OPERATOR, Nothing, Nothing, RuntimeReport),
)
