/**
 * The seal of a block of a Raft epoch: which entry of the log it is, and what the log hash needs beside the block. It is
 * the word of the cluster's members, signed by nobody: no evidence for one who trusts none of them.
 *
 * In such a block's header the round is the entry's index, which rises from block to block, `justifyDigest` is the log
 * hash up to and with this entry, and there is no proposer: who led is not in a Raft entry.
 */
import { bytes, codec, hash, nullable, struct, uint } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import type { BlockHeader, Seal } from './block.ts';
import { eventsRoot } from './events-root.ts';
import { decodeCommand, MAX_LEGACY_COMMAND_BYTES } from './raft-command.ts';
import { firstLogHash, nextLogHash, NO_CONTROLS, type LogPosition } from './log-hash.ts';
import { decodeControlRecord, type BaseRecord } from './control-record.ts';
import { legacyChange } from './legacy-state.ts';
import type { StateChange } from './state.ts';

/** A cluster under Raft is one epoch, the first of its chain. */
export const RAFT_EPOCH = 0;

export interface RaftSeal extends LogPosition {
  /** Of the control records between the block before and this one. */
  readonly controls: Hash;
  /** SHA-256 of the entry's data. */
  readonly data: Hash;
  /** The data itself, where no other part of the block says it: a command of the older system, the record of BASE. */
  readonly carried: Uint8Array | null;
}

export const MAX_RAFT_SEAL_BYTES = MAX_LEGACY_COMMAND_BYTES + 256;

const sealCodec = codec(
  struct<RaftSeal>({
    index: uint(),
    term: uint(),
    controls: hash,
    data: hash,
    carried: nullable(bytes(MAX_LEGACY_COMMAND_BYTES)),
  }),
  MAX_RAFT_SEAL_BYTES,
);

export function encodeRaftSeal(seal: RaftSeal): Seal {
  return { kind: 'raft', bytes: sealCodec.encode(seal) };
}

/** Refusals: those of the codec. */
export function decodeRaftSeal(sealBytes: Uint8Array): Result<RaftSeal> {
  return sealCodec.decode(sealBytes);
}

/** What a header says that its seal can tell without another block. Refusals: `raft-seal-mismatch`. */
export function checkRaftHeader(header: BlockHeader, seal: RaftSeal): Result<void> {
  const { epoch, height, nextValidatorSet, proposer, round } = header;
  const holds = round === seal.index && epoch === RAFT_EPOCH && proposer === '' && nextValidatorSet === null;
  return holds ? ok(undefined) : mismatch(height, 'the header is not that of a Raft epoch, or of another entry');
}

/**
 * Whether the block is the one that its entry makes behind the parent's, as far as the log hash covers it.
 *
 * @param parentLogHash the `justifyDigest` of the parent's header
 * @returns what the entry changes besides the block's events
 *
 * Refusals: `raft-seal-mismatch`.
 */
export function checkRaftSeal(
  header: BlockHeader,
  seal: RaftSeal,
  parentLogHash: Hash,
): Result<readonly StateChange[]> {
  const form = checkRaftHeader(header, seal);
  if (!form.ok) return form;
  const { eventsRoot: root, height, justifyDigest } = header;
  if (justifyDigest !== nextLogHash({ ...seal, previous: parentLogHash })) return otherLog(height);
  const { carried, data } = seal;
  if (carried === null) return ok([]);
  const command = root === NO_EVENTS && sha256Hex(carried) === data ? decodeCommand(carried) : null;
  return command?.ok === true && command.value.kind === 'legacy'
    ? ok([legacyChange(command.value.command)])
    : mismatch(height, 'the command in the seal is not that of the entry');
}

const NO_EVENTS = eventsRoot([]);

/** The same of the first block. @returns the record of BASE. Refusals: `raft-seal-mismatch`. */
export function checkBaseSeal(header: BlockHeader, seal: RaftSeal): Result<BaseRecord> {
  const form = checkRaftHeader(header, seal);
  if (!form.ok) return form;
  const { chainId, height, justifyDigest, stateRoot } = header;
  const { carried, controls, data } = seal;
  if (justifyDigest !== firstLogHash({ ...seal, chainId, stateRoot }) || controls !== NO_CONTROLS)
    return otherLog(height);
  const record = carried !== null && sha256Hex(carried) === data ? decodeControlRecord(carried) : null;
  return record?.ok === true && record.value?.chainId === chainId
    ? ok(record.value)
    : mismatch(height, 'the record in the seal is not that of the entry');
}

function otherLog(height: number): Refused {
  return mismatch(height, 'the log hash is not that of the entry behind the parent');
}

function mismatch(height: number, reason: string): Refused {
  return refuse('raft-seal-mismatch', 'the seal and the header of a block disagree', { height, reason });
}
