"""The words of the page in Russian and English."""

from collections.abc import Callable

LANGUAGES = ("en", "ru")

# key: English, Russian
_WORDS = {
    "title": ("Vestnik", "Вестник"),
    "message_title": ("title", "заголовок"),
    "working": ("Working", "Работает"),
    "standby": ("Standing by", "В резерве"),
    "blocked": ("Blocked", "Заблокировано"),
    "paused": ("Paused", "На паузе"),
    "failing": ("Provider fails", "Провайдер не отвечает"),
    "behind": ("Behind", "Отстаёт"),
    "starting": ("Starting", "Запускается"),
    "stopping": ("Stopping", "Останавливается"),
    "why_working": ("Everything that is due goes out.", "Всё, что пора отправить, уходит."),
    "why_standby": ("Another process owns the lanes.", "Линиями владеет другой процесс."),
    "why_behind": (
        "{lane}: somebody should have been told {span} ago.",
        "{lane}: кто-то должен был узнать уже {span} назад.",
    ),
    "why_failing": ("{lane}: {reason}. Only probes go out.", "{lane}: {reason}. Уходят только пробные запросы."),
    "why_starting": ("Not every lane has what it needs yet.", "Ещё не у каждой линии есть всё нужное."),
    "why_stopping": ("Requests on their way are waited for.", "Ждём запросы, которые уже в пути."),
    "uptime": ("up for {span}", "работает {span}"),
    "ready": ("ready", "готов"),
    "not_ready": ("not ready", "не готов"),
    "lanes": ("Lanes", "Линии"),
    "lane": ("Lane", "Линия"),
    "no_lanes": ("No lanes.", "Линий нет."),
    "for": ("for {span}", "уже {span}"),
    "quota": ("Quota", "Квота"),
    "none": ("none", "нет"),
    "of": ("{used} of {all}", "{used} из {all}"),
    "waiting": ("Waiting", "Ждут"),
    "groups": ("Groups", "Группы"),
    "oldest": ("Oldest", "Старейшее"),
    "to_clear": ("To clear", "Разберём за"),
    "parked": ("Parked", "Отложены"),
    "in_flight": ("In flight", "В пути"),
    "in_doubt": ("In doubt", "Под вопросом"),
    "held_by": ("Held by", "Чего ждём"),
    "time": ("Time", "Время"),
    "told_minute": ("Told last minute", "Сказано за минуту"),
    "lag": ("Lag", "Отставание"),
    "records": ("{count} records, {span}", "{count} записей, {span}"),
    "assigned": ("Partitions", "Разделы"),
    "owner": ("owner", "владелец"),
    "epoch": ("epoch {epoch}", "эпоха {epoch}"),
    "next": ("What goes out next", "Что уйдёт следующим"),
    "message": ("Message", "Сообщение"),
    "people": ("People", "Людей"),
    "level": ("Wording", "Подробность"),
    "goes_in": ("Goes in", "Уйдёт через"),
    "route": ("Route", "Маршрут"),
    "sent": ("What was just sent", "Что только что отправлено"),
    "ago": ("Ago", "Назад"),
    "nothing_sent": ("Nothing yet.", "Пока ничего."),
    "outcomes": ("Outcomes", "Исходы"),
    "dead_letters": ("Dead letters", "Недоставленные"),
    "reason": ("Reason", "Причина"),
    "count": ("Count", "Сколько"),
    "last_hour": ("The last hour", "Последний час"),
    "told_chart": ("People told a minute", "Сказано людей в минуту"),
    "age_chart": ("Age of the oldest news when told, seconds", "Возраст самой старой новости, секунды"),
    "configuration": ("Configuration in force", "Действующая конфигурация"),
    "setting": ("Setting", "Настройка"),
    "value": ("Value", "Значение"),
    "origin": ("From", "Откуда"),
    "preview": ("What people would read", "Что прочитают люди"),
    "language": ("Language", "Язык"),
    "every_language": ("all", "все"),
    "event_or_example": (
        "An event as JSON; the route's first example when left empty",
        "Событие в JSON; если пусто, первый пример маршрута",
    ),
    "show": ("Show", "Показать"),
    "no_preview": ("Nothing to show", "Показать нечего"),
    "silent": ("Nobody would be told: {why}", "Никому не скажем: {why}"),
    "most_personal": ("The most personal", "Самый личный"),
    "coarser": ("Coarser, level {level}", "Общее, уровень {level}"),
    "text": ("text", "текст"),
    "bytes": ("bytes", "байтов"),
    "unique": ("Everybody's own, because of", "У каждого свой из-за"),
    "texts": ("Different texts", "Разных текстов"),
    "people_a_minute": ("People a minute in time", "Людей в минуту вовремя"),
    "routes_refused": ("New routes were refused", "Новые маршруты не приняты"),
    "why_routes_refused": (
        "The files hold version {refused}, with mistakes, for {span}. Version {version} goes on working.",
        "В файлах версия {refused} с ошибками, уже {span}. Продолжает работать версия {version}.",
    ),
    "routes_deployed": (
        "Routes: {count}, version {version}, deployed {span} ago.",
        "Маршрутов: {count}, версия {version}, действует {span}.",
    ),
    "lost": ("No connection to the process.", "Нет связи с процессом."),
    "stream": ("{stream} in trouble", "неполадки: {stream}"),
    "stuck": ("{topic}/{partition} does not move", "{topic}/{partition} стоит"),
    "head": ("Holds back offsets", "Держит смещения"),
    "where": ("Where", "Где"),
    "since": ("Since", "Сколько"),
}
# The lane's own words, which configuration, logs and pages have in English.
_CODES_IN_RUSSIAN = {
    "starting": "запускается",
    "standby": "в резерве",
    "recovering": "вспоминает",
    "working": "работает",
    "draining": "завершает работу",
    "stopped": "остановлена",
    "quota": "квоту",
    "ceiling": "потолок получателей",
    "breaker": "провайдера",
    "in_flight": "ответы",
    "blocked": "заблокирована",
    "no_data": "новых событий",
    "none": "ничего",
}
_UNITS = {"en": ("d", "h", "min", "s"), "ru": ("д", "ч", "мин", "с")}

Say = Callable[..., str]


def speech(language: str) -> Say:
    """A function that says a key of the table in one language, its braces filled in."""
    column = LANGUAGES.index(language)

    def say(key: str, **values: object) -> str:
        return _WORDS[key][column].format(**values)

    return say


def code(language: str, word: str) -> str:
    """A state of a lane, or what holds it, in the reader's language; as it is where nobody has translated it."""
    return _CODES_IN_RUSSIAN.get(word, word) if language == "ru" else word.replace("_", " ")


def chosen(asked: str | None, accepted: str) -> str:
    """The language to speak: the one that was asked for, else the first of the browser's that is known."""
    wanted = [asked or "", *(part.split(";")[0].strip().split("-")[0].lower() for part in accepted.split(","))]
    return next((language for language in wanted if language in LANGUAGES), LANGUAGES[0])


def spelt(seconds: float, language: str = "en") -> str:
    """A span in its two largest units: "3 h 20 min", "45 s"."""
    whole = max(0, round(seconds))
    names = _UNITS[language]
    for number, (size, part) in enumerate(((86_400, 3_600), (3_600, 60), (60, 1))):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {names[number]}" + (f" {rest} {names[number + 1]}" if rest else "")
    return f"{whole} {names[3]}"
