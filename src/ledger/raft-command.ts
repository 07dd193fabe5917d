/**
 * What a command of the Raft log holds: ledger events with the leader's time, in an encoding of this program's, or a
 * command of the older system in JSON. A node of that system refuses the former and so skips it.
 *
 * Whatever a committed command's bytes are, it is applied or refused, by the bytes alone: all replicas do the same.
 */
import { bytes, codec, list, struct, uint } from '../base/codec.ts';
import { concatBytes } from '../base/bytes.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { BLOCK_OVERHEAD_BYTES, EVENT_OVERHEAD_BYTES, MAX_BLOCK_BYTES, MAX_BLOCK_EVENTS } from './block.ts';
import { MAX_EVENT_BYTES } from './event.ts';
import { MAX_TIME_SECONDS } from './event-fields.ts';
import { decodeLegacyCommand, type LegacyCommand } from './legacy-command.ts';

/** So a block has room for all events of a command. */
export const MAX_COMMAND_BYTES = MAX_BLOCK_BYTES - BLOCK_OVERHEAD_BYTES;
/** What a command needs beyond its events, each of them with `EVENT_OVERHEAD_BYTES`. */
export const COMMAND_OVERHEAD_BYTES = 32;

/** A command of the older system that is applied after BASE is carried by its block's seal, and so by answers to readers. */
export const MAX_LEGACY_COMMAND_BYTES = 64 * 1024;

/** Begins no JSON, and no UTF-8 at all. */
const MAGIC = 0xb1;
const VERSION = 1;
const PREFIX = Uint8Array.of(MAGIC, VERSION);

export interface EventsCommand {
  /** The leader's clock, unix seconds. */
  readonly timeSeconds: number;
  /** Signed events as they travel (`event.ts`), whose signatures the leader has checked. */
  readonly events: readonly Uint8Array[];
}

export type RaftCommand =
  ({ readonly kind: 'events' } & EventsCommand) | { readonly kind: 'legacy'; readonly command: LegacyCommand };

const eventsCodec = codec(
  struct<EventsCommand>({
    timeSeconds: uint(MAX_TIME_SECONDS),
    events: list(bytes(MAX_EVENT_BYTES), MAX_BLOCK_EVENTS),
  }),
  MAX_COMMAND_BYTES - PREFIX.length,
);

/** @param command within `MAX_COMMAND_BYTES` and `MAX_BLOCK_EVENTS` */
export function encodeEventsCommand(command: EventsCommand): Uint8Array {
  return concatBytes(PREFIX, eventsCodec.encode(command));
}

/** What an event adds to a command. */
export function commandBytesOf(event: { readonly bytes: Uint8Array }): number {
  return event.bytes.length + EVENT_OVERHEAD_BYTES;
}

/** Whether a node of the older system refuses the command for its first byte. */
export function isEventsCommand(data: Uint8Array): boolean {
  return data[0] === MAGIC;
}

/**
 * Refusals: `command-version-unknown`, those of the codec, and those of `decodeLegacyCommand`.
 *
 * @param data null and nothing at all are both no JSON
 */
export function decodeCommand(data: Uint8Array | null): Result<RaftCommand> {
  if (data === null || !isEventsCommand(data)) {
    const legacy = decodeLegacyCommand(data ?? new Uint8Array(0));
    return legacy.ok ? ok({ kind: 'legacy', command: legacy.value }) : legacy;
  }
  if (data[1] !== VERSION) {
    return refuse('command-version-unknown', 'a command in an encoding that this program does not know', {
      version: data[1] ?? null,
      known: VERSION,
    });
  }
  const decoded = eventsCodec.decode(data.subarray(PREFIX.length));
  return decoded.ok ? ok({ kind: 'events', ...decoded.value }) : decoded;
}
