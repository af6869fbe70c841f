/**
 * `format` of strings as patterns: for each name texts that every validator takes, not all that there are. The names are
 * those that vLLM 0.32 follows with its default library.
 */
const DAY =
  "(?:(?:01|03|05|07|08|10|12)-(?:0[1-9]|[12][0-9]|3[01])|(?:04|06|09|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
const DATE = `(?:19|20)[0-9]{2}-${DAY}`;
const CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?";
const ZONE = "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])";
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?";
const HOST = `${LABEL}(?:\\.${LABEL}){0,3}`;
const GROUP = "[0-9a-f]{1,4}";
const SEGMENT = "(?:/[A-Za-z0-9._~-]{1,40})";

/** Names of the specification that cannot be followed. What is none of these and none of ours is an annotation. */
export const UNFOLLOWED: ReadonlySet<string> = new Set(["idn-email", "idn-hostname", "iri", "iri-reference", "regex"]);

/** By name; matched as a whole. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: `${CLOCK}${ZONE}`,
  "date-time": `${DATE}T${CLOCK}${ZONE}`,
  duration:
    "P(?:[0-9]{1,4}W|[0-9]{1,4}Y(?:[0-9]{1,4}M(?:[0-9]{1,4}D)?)?|[0-9]{1,4}M(?:[0-9]{1,4}D)?|[0-9]{1,4}D(?:T[0-9]{1,4}H)?|T[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?|T[0-9]{1,4}M(?:[0-9]{1,4}S)?|T[0-9]{1,4}S)",
  email: `[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,24}){0,2}@${LABEL}(?:\\.${LABEL}){0,2}\\.[a-z]{2,8}`,
  hostname: HOST,
  ipv4: `${OCTET}(?:\\.${OCTET}){3}`,
  ipv6: `(?:(?:${GROUP}:){7}${GROUP}|::(?:${GROUP}:){0,5}${GROUP}|(?:${GROUP}:){1,6}:|(?:${GROUP}:){1,2}(?::${GROUP}){1,4}|::)`,
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
  uri: `(?:https?|ftp)://${HOST}(?::[1-9][0-9]{0,3})?${SEGMENT}{0,6}/?(?:\\?[a-z0-9]{1,16}=[A-Za-z0-9._~-]{0,40})?`,
  "uri-reference": `(?:(?:https?|ftp)://${HOST})?${SEGMENT}{1,6}(?:\\?[a-z0-9]{1,16}=[A-Za-z0-9._~-]{0,40})?`,
  "uri-template": `(?:https?)://${HOST}(?:/[A-Za-z0-9._~-]{1,40}|/\\{[a-z][a-z0-9_]{0,16}\\}){0,6}`,
  "json-pointer": "(?:/(?:[A-Za-z0-9_.-]|~[01]){0,32}){0,8}",
  "relative-json-pointer": "(?:0|[1-9][0-9]{0,2})(?:#|(?:/(?:[A-Za-z0-9_.-]|~[01]){0,32}){0,8})",
};
