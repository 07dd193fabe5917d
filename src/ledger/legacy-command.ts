/**
 * The commands of the older system: what a node of it, written in Go, makes of the data of a log entry by
 *
 *     json.Unmarshal(data, &struct { Op, Key string; Value json.RawMessage }{})
 *
 * Names are taken in either case, the last of several counts, others are ignored, and `null` leaves a text as it was. What
 * Go refuses, what has another operation and what has no value changes nothing.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import {
  compactValue,
  isNull,
  isObject,
  isString,
  membersOf,
  stringText,
  wholeValue,
  type MemberSpans,
  type Span,
} from './go-json.ts';

export interface LegacyCommand {
  readonly operation: 'set' | 'updateNodeData';
  /** Well formed; perhaps empty. */
  readonly key: string;
  /** JSON without space, else as it was written: perhaps not even UTF-8. */
  readonly value: Uint8Array;
}

/** Refusals: `legacy-command-malformed`, `legacy-operation-unknown`, `legacy-value-missing`. */
export function decodeLegacyCommand(data: Uint8Array): Result<LegacyCommand> {
  const whole = wholeValue(data);
  if (whole === undefined) return malformed('not JSON');
  // Go takes null for an empty command.
  const members = isNull(data, whole) ? [] : isObject(data, whole) ? membersOf(data, whole) : null;
  if (members === null) return malformed('not an object');
  const fields = fieldsOf(data, members);
  if (!fields.ok) return fields;
  const { Key: key, Op: operation, value } = fields.value;
  if (operation !== 'set' && operation !== 'updateNodeData') {
    return refuse('legacy-operation-unknown', 'not an operation of the older system', {
      operation: operation.slice(0, 64),
    });
  }
  if (value === null) return refuse('legacy-value-missing', 'the command has no value');
  return ok({ operation, key, value: compactValue(data, value) });
}

interface CommandFields {
  Op: string;
  Key: string;
  value: Span | null;
}

function fieldsOf(data: Uint8Array, members: Iterable<MemberSpans>): Result<CommandFields> {
  const fields: CommandFields = { Op: '', Key: '', value: null };
  for (const { name, value } of members) {
    const field = fieldOf(stringText(data, name));
    if (field === 'Value') {
      fields.value = value;
    } else if (field !== undefined && !isNull(data, value)) {
      if (!isString(data, value)) return malformed(`${field} is no text`);
      fields[field] = stringText(data, value);
    }
  }
  return ok(fields);
}

/** Go's `equalFold`: the Kelvin sign is a K. */
function fieldOf(name: string): 'Op' | 'Key' | 'Value' | undefined {
  switch (name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/^\u212a/, 'k')) {
    case 'op':
      return 'Op';
    case 'key':
      return 'Key';
    case 'value':
      return 'Value';
    default:
      return undefined;
  }
}

function malformed(reason: string): Result<never> {
  return refuse('legacy-command-malformed', "Go's encoding/json refuses the command", { reason });
}

const CONTROL_OR_QUOTED = /["\\\u0000-\u001f\u2028\u2029]/g;

/** Escapes that have a name; Go 1.19, as the older system, has none for backspace and form feed. */
const NAMED: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A key as Go's encoder writes it with `SetEscapeHTML(false)`. */
export function legacyKeyJson(key: string): string {
  const escaped = key.replace(
    CONTROL_OR_QUOTED,
    (unit) => NAMED[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}
