/**
 * Chain parameters, held in the state under `parameters`, changed by a quorum of validators.
 * A change acts from the next height: the block that decides it still runs under the old ones.
 */
import { equalBytes } from '../base/bytes.ts';
import { codec, nullable, struct, uint } from '../base/codec.ts';
import { refuse, ok, type Result } from '../base/result.ts';
import { assert } from '../base/assert.ts';
import { NEWEST_EVENT_SCHEMA } from './newest-schema.ts';
import { PARAMETERS_KEY, type StateReader } from './state.ts';

export interface ChainParameters {
  /** A node is active while it was heard from within this window; a session lapses after it. */
  readonly livenessWindowSeconds: number;
  /** The event schema that the chain began with; `event-schema-at.ts` says which is in force. */
  readonly eventSchema: number;
}

export const DEFAULT_PARAMETERS: ChainParameters = { livenessWindowSeconds: 3600, eventSchema: 1 };

export const MIN_LIVENESS_WINDOW_SECONDS = 3;
export const MAX_LIVENESS_WINDOW_SECONDS = 30 * 86_400;

/** What the state holds. */
export interface ParameterSchedule {
  readonly current: ChainParameters;
  readonly next: { readonly fromHeight: number; readonly parameters: ChainParameters } | null;
}

const parametersShape = struct<ChainParameters>({
  livenessWindowSeconds: uint(MAX_LIVENESS_WINDOW_SECONDS),
  eventSchema: uint(0xffff),
});

export const parameterScheduleCodec = codec<ParameterSchedule>(
  struct<ParameterSchedule>({
    current: parametersShape,
    next: nullable(
      struct<{ fromHeight: number; parameters: ChainParameters }>({ fromHeight: uint(), parameters: parametersShape }),
    ),
  }),
  256,
);

/** The state value of a chain's first parameters. */
export function encodeParameters(parameters: ChainParameters): Uint8Array {
  return parameterScheduleCodec.encode({ current: parameters, next: null });
}

/** The parameters under which the block of this height runs. */
export function parametersAt(state: StateReader, height: number): ChainParameters {
  const bytes = state.get(PARAMETERS_KEY);
  assert(bytes !== undefined, 'the state holds the chain parameters', { height });
  const { current, next } = scheduleOf(bytes);
  return next !== null && height >= next.fromHeight ? next.parameters : current;
}

/** The last one is kept: every event asks for the parameters, and they hardly ever change. */
let last: { readonly bytes: Uint8Array; readonly schedule: ParameterSchedule } | null = null;

function scheduleOf(bytes: Uint8Array): ParameterSchedule {
  if (last === null || !equalBytes(last.bytes, bytes)) {
    last = { bytes: bytes.slice(), schedule: parameterScheduleCodec.decodeOwn(bytes) };
  }
  return last.schedule;
}

/** Refusals: `parameters-invalid`. */
export function checkParameters(parameters: ChainParameters): Result<ChainParameters> {
  const { livenessWindowSeconds, eventSchema } = parameters;
  const windowFits =
    Number.isSafeInteger(livenessWindowSeconds) &&
    livenessWindowSeconds >= MIN_LIVENESS_WINDOW_SECONDS &&
    livenessWindowSeconds <= MAX_LIVENESS_WINDOW_SECONDS;
  if (!windowFits) {
    return refuse('parameters-invalid', 'the liveness window is out of range', {
      livenessWindowSeconds,
      min: MIN_LIVENESS_WINDOW_SECONDS,
      max: MAX_LIVENESS_WINDOW_SECONDS,
    });
  }
  if (!Number.isSafeInteger(eventSchema) || eventSchema < 1 || eventSchema > NEWEST_EVENT_SCHEMA) {
    return refuse('schema-unknown', 'this program does not know that event schema', {
      eventSchema,
      newest: NEWEST_EVENT_SCHEMA,
    });
  }
  return ok(parameters);
}
