/**
 * Control records: what replicas agree on about the log itself. They travel as the data of no-op entries, which nodes of
 * the older system carry on unchanged and never show to their state machines (an entry of an unknown type would end them).
 *
 *     hotledger/control/1\n  canonical tuple
 *
 * A kind that is not known here may change what later entries mean, so a replica that meets one stops. Therefore: a new
 * kind is a new version of this encoding, written only once all members of the cluster know it.
 */
import { concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { codec, struct, text, uint, union } from '../base/codec.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { MAX_TIME_SECONDS } from './event-fields.ts';

/** From this entry on, commands make blocks (`raft-base.ts`). */
export interface BaseRecord {
  readonly kind: 'base';
  /** Of the genesis that the operator gave to the leader, and must have given to all. */
  readonly chainId: string;
  /** The leader's clock, unix seconds: what the times in legacy values are judged by. */
  readonly timeSeconds: number;
}

export type ControlRecord = BaseRecord;

const FAMILY = utf8('hotledger/control/');
const VERSION = '1';
const TAG = utf8(`hotledger/control/${VERSION}\n`);
const MAX_CONTROL_BYTES = 4096;

const controlCodec = codec(
  union<ControlRecord>({
    base: struct<Omit<BaseRecord, 'kind'>>({ chainId: text(64), timeSeconds: uint(MAX_TIME_SECONDS) }),
  }),
  MAX_CONTROL_BYTES,
);

export function encodeControlRecord(record: ControlRecord): Uint8Array {
  return concatBytes(TAG, controlCodec.encode(record));
}

/**
 * @param data of a no-op
 * @returns null where it is no control record: the no-op of an election has no data
 *
 * Refusals: `control-record-unknown` (of another version), and those of the codec.
 */
export function decodeControlRecord(data: Uint8Array | null): Result<ControlRecord | null> {
  if (data === null || !equalBytes(data.subarray(0, FAMILY.length), FAMILY)) return ok(null);
  if (!equalBytes(data.subarray(0, TAG.length), TAG)) {
    return refuse('control-record-unknown', 'the log holds a control record of another version of this program', {
      known: VERSION,
    });
  }
  return controlCodec.decode(data.subarray(TAG.length));
}
