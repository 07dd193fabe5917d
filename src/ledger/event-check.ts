/**
 * Holds a parsed JSON value against the schema of events. What passes has every field of its type, in its limits, and
 * no other field: nothing of an event is ever ignored, or two programs could read one signed text differently.
 *
 * An event of a newer form says so in `schema`; one of the first form has no such field. Whatever the form, what comes out
 * is the event in its newest one.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import {
  asObject,
  asText,
  asTime,
  asUint,
  checkNames,
  FieldRefused,
  stop,
  value,
  type Fields,
} from './event-fields.ts';
import { formOf, isEventType } from './event-forms.ts';
import type { LedgerEvent } from './event-schema.ts';
import { parsePeerId, type Identity } from './identity.ts';
import { NEWEST_EVENT_SCHEMA } from './newest-schema.ts';
import { upcast } from './upcast.ts';

export interface CheckedEvent {
  /** In its newest form. */
  readonly event: LedgerEvent;
  /** Whose form was signed: a block may hold the event once this schema is in force. */
  readonly schema: number;
  readonly identity: Identity;
}

/**
 * @param parsed of JSON
 * Refusals: `event-malformed`, `unknown-type`, `schema-not-known`, `event-form-unknown`, `unknown-field`,
 * `field-not-yours`, `field-missing`, `field-invalid`, `time-unit`, `version-invalid`, `eth-address-not-yours`,
 * `action-unknown`, `action-not-available`, and those of peer ids and addresses.
 */
export function checkEvent(parsed: unknown): Result<CheckedEvent> {
  try {
    const object = asObject(parsed, 'event');
    const type = object['type'];
    if (typeof type !== 'string') return refuse('field-missing', 'an event has a type', { field: 'type' });
    const schema = schemaOf(object);
    if (!isEventType(type)) return refuse('unknown-type', 'not a type of event', { type: type.slice(0, 64) });
    const form = formOf(type, schema);
    if (form === undefined) return refuse('event-form-unknown', 'that schema gave this type no form', { type, schema });
    checkNames(object, form.fields);
    const identity = value(parsePeerId(asText(object, 'peerId', 128)));
    const base = { peerId: identity.peerId, seq: asUint(object, 'seq', 1), time: asTime(object, 'time') };
    return ok({ event: upcast(form.read(object, base, identity), schema), schema, identity });
  } catch (error) {
    if (error instanceof FieldRefused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

/** The first schema goes without saying, so that no event can be written in two ways. */
function schemaOf(object: Fields): number {
  if (!Object.hasOwn(object, 'schema')) return 1;
  const schema = asUint(object, 'schema', 2, 0xffff);
  if (schema <= NEWEST_EVENT_SCHEMA) return schema;
  return stop('schema-not-known', 'this program does not know that event schema', {
    schema,
    newest: NEWEST_EVENT_SCHEMA,
  });
}
