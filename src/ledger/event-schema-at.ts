/**
 * Which event schema a block is of. A quorum of validators decides on the next one, and on the height from which it is in
 * force: a block of that height is the first that may hold events of it. Events of older schemas are valid for ever, as the
 * nodes that write them are upgraded later than the validators.
 *
 *     decided at 1,000: schema 2 from 2,000       heights up to 1,999: schema 1       from 2,000 on: schemas 1 and 2
 *
 * The schema of a block follows from the state that it is executed on, hence from its own ancestors: on a fork without the
 * decision it is another one. A program that does not know it executes no such block, votes for none, and proposes none.
 */
import { codec, struct, uint } from '../base/codec.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { SchemaActivated } from './event-schema.ts';
import { NEWEST_EVENT_SCHEMA } from './newest-schema.ts';
import { parametersAt } from './parameters.ts';
import { SCHEMA_KEY, type StateReader } from './state.ts';

/**
 * Heights between the decision and the first block of the new schema, at least. Twice as many as a leader leaves
 * uncommitted (`MAX_UNCOMMITTED_BLOCKS`): the decision is final before anything depends on it. Operators choose a longer notice.
 */
export const MIN_ACTIVATION_NOTICE = 64;
/** At most: only one change is under way at a time, and a height that is never reached would be the last. */
export const MAX_ACTIVATION_NOTICE = 10_000_000;

/** The last change that was decided: `schema` follows on the schema before it, which is `schema - 1`. */
export type SchemaActivation = Pick<SchemaActivated, 'schema' | 'fromHeight'>;

export const schemaActivationCodec = codec(struct<SchemaActivation>({ schema: uint(0xffff), fromHeight: uint() }), 32);

/** Null before the first change was decided. */
export function schemaActivation(state: StateReader): SchemaActivation | null {
  const bytes = state.get(SCHEMA_KEY);
  return bytes === undefined ? null : schemaActivationCodec.decodeOwn(bytes);
}

/** The event schema in force in the block of this height. */
export function eventSchemaAt(state: StateReader, height: number): number {
  const activation = schemaActivation(state);
  if (activation === null) return parametersAt(state, height).eventSchema;
  return height >= activation.fromHeight ? activation.schema : activation.schema - 1;
}

/**
 * Whether this program can execute the block of this height. Refusal: `schema-not-known`.
 *
 * @param state of the block's parent
 * @param newest that the program knows
 */
export function checkSchemaKnown(state: StateReader, height: number, newest = NEWEST_EVENT_SCHEMA): Result<void> {
  const schema = eventSchemaAt(state, height);
  return schema <= newest
    ? ok(undefined)
    : refuse('schema-not-known', `this program does not know event schema ${schema}: upgrade it`, {
        schema,
        height,
        newest,
      });
}

/** Refusal: `schema-not-active`. @param schema whose form the event has */
export function checkSchemaActive(state: StateReader, schema: number, height: number): Result<void> {
  if (schema === 1 || schema <= eventSchemaAt(state, height)) return ok(undefined);
  return refuse('schema-not-active', 'no block of that height holds events of this schema', {
    schema,
    height,
    active: eventSchemaAt(state, height),
    fromHeight: scheduledFrom(state, schema),
  });
}

/** From which height a schema is, or will be, in force, by what is decided; null: not decided. */
export function scheduledFrom(state: StateReader, schema: number): number | null {
  const activation = schemaActivation(state);
  return activation?.schema === schema ? activation.fromHeight : null;
}

/**
 * What can be said against a change of the schema, in a block of this height. What this program knows does not count:
 * programs of different versions must judge alike, and the quorum's approvals say that a quorum knows the schema.
 *
 * Refusals: `schema-not-next`, `activation-pending`, `activation-height`.
 */
export function checkActivation(
  state: StateReader,
  { schema, fromHeight }: SchemaActivation,
  height: number,
): Result<void> {
  const pending = schemaActivation(state);
  if (pending !== null && pending.fromHeight > height) {
    return refuse('activation-pending', 'another change of the event schema is decided and not in force yet', {
      schema: pending.schema,
      fromHeight: pending.fromHeight,
      height,
    });
  }
  const active = eventSchemaAt(state, height);
  if (schema !== active + 1) {
    return refuse('schema-not-next', 'the event schema changes by one at a time', { schema, active });
  }
  const [min, max] = [height + MIN_ACTIVATION_NOTICE, height + MAX_ACTIVATION_NOTICE];
  if (fromHeight >= min && fromHeight <= max) return ok(undefined);
  return refuse('activation-height', 'a new event schema begins after a notice, and not in the distant future', {
    fromHeight,
    min,
    max,
  });
}
