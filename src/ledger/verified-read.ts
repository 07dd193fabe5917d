/**
 * The verified read: bytes from anyone, and a trusted genesis, give a record that a quorum of validators agreed on, or
 * a refusal. Who served the bytes (a validator, a peer, the DHT, a file) does not matter.
 *
 *     trusted genesis -> epoch proofs -> validators of the epoch
 *                                            |  certificate (and headers down)
 *                                        header: height, state root
 *                                            |  proof of presence or of absence
 *                                        record, or none
 *
 * Freshness is separate, because an idle chain has an old head: the validators' head statements say that this head was
 * still theirs, or not yet reached, at some moment. Of f + 1 distinct validators at least one is correct, so the oldest
 * of f + 1 statements bounds the age. Without them the age is unknown.
 *
 * A block of a Raft epoch has no certificate, so that nothing above the header holds: only a reader that asks for no more
 * takes such an answer, as the word of its server (`trust: 'crash-only'`).
 *
 * No byte of an answer is without effect: encodings are canonical, every part is verified, none may be superfluous.
 */
import { bytes, codec, list, nullable, struct } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { MAX_VALIDATORS } from '../qc/bitmap.ts';
import { headStatementShape, verifyHeadStatement, type HeadStatement } from '../qc/head-statement.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import { blockIdOf, decodeHeader, MAX_HEADER_BYTES, sealShape, type Seal } from './block.ts';
import type { BlockHeader } from './block.ts';
import { decodeCommitProof, verifyCommitProof } from './commit-proof.ts';
import { parsePeerId } from './identity.ts';
import { checkRaftHeader, decodeRaftSeal } from './raft-seal.ts';
import { nodeEntryCodec, type NodeRecord } from './record.ts';
import { treeProofShape, verifyTreeProof, type TreeProof } from './state-proof.ts';
import { nodeKey } from './state.ts';
import { epochProofShape, validatorsOfEpoch, type EpochProof, type TrustedChain } from './trusted-chain.ts';

/** What a server sends. */
export interface ReadAnswer {
  /** The state's value under the key that was asked for, or null when it has none. */
  readonly value: Uint8Array | null;
  readonly proof: TreeProof;
  /** Of the committed block whose state this is. */
  readonly header: Uint8Array;
  readonly seal: Seal;
  /** One an epoch between the trusted one and the header's. */
  readonly epochProofs: readonly EpochProof[];
  /** For this block or an earlier one, each validator at most once, in the order of their indexes. */
  readonly headStatements: readonly HeadStatement[];
}

export interface ReadOptions {
  readonly scheme: SignatureScheme;
  /** The reader's clock, unix milliseconds. */
  readonly nowMs: number;
  /** The greatest age that the reader takes; without it any age will do, unknown too. */
  readonly maxAgeMs?: number;
  /**
   * Whom the reader believes. `byzantine`, unless it says otherwise: nobody, but a quorum of the trusted validators. With
   * `crash-only` also the server itself, of what it says under a Raft seal, which nobody signs: so only a server that the
   * reader chose, over a connection that proves who it is, and never what others kept for it.
   */
  readonly trust?: ReaderTrust;
  /**
   * When the reader asked for a linearizable answer, unix milliseconds: it bounds the age of what is believed as
   * `crash-only` and has no head statements. Of what a quorum certified it says nothing, as nobody is believed there.
   */
  readonly linearizableSinceMs?: number;
}

export type ReaderTrust = 'byzantine' | 'crash-only';

export interface VerifiedState {
  readonly value: Uint8Array | undefined;
  readonly epoch: number;
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Time of the block, unix seconds. */
  readonly timestamp: number;
  /** How long ago, at most, this block was still the head; null: unknown. */
  readonly ageMs: number | null;
  /** Peer ids of the validators who certified it; none at genesis, which is trusted itself, and none under Raft. */
  readonly signers: readonly string[];
  /** Why it is believed; `crash-only`: because the server says so, as a member of a Raft cluster. */
  readonly trust: 'genesis' | 'quorum' | 'crash-only';
}

export interface VerifiedRead extends Omit<VerifiedState, 'value'> {
  /** Canonical. */
  readonly peerId: string;
  /** Null: it was agreed that there is none. */
  readonly record: NodeRecord | null;
}

/** A validator's clock may be this far ahead of the reader's before its statement says nothing about age. */
const MAX_CLOCK_LEAD_MS = 5_000;
const MAX_EPOCH_PROOFS = 1024;
const MAX_STATE_VALUE_BYTES = 64 * 1024;

const answerCodec = codec(
  struct<ReadAnswer>({
    value: nullable(bytes(MAX_STATE_VALUE_BYTES)),
    proof: treeProofShape,
    header: bytes(MAX_HEADER_BYTES),
    seal: sealShape,
    epochProofs: list(epochProofShape, MAX_EPOCH_PROOFS),
    headStatements: list(headStatementShape, MAX_VALIDATORS),
  }),
  256 * 1024,
);

export function encodeReadAnswer(answer: ReadAnswer): Uint8Array {
  return answerCodec.encode(answer);
}

/**
 * Where an answer claims to be from, verified by nobody: for choosing which answer to verify.
 *
 * Refusals: those of the codec and of `decodeHeader`.
 */
export function claimedPosition(answerBytes: Uint8Array): Result<Pick<BlockHeader, 'epoch' | 'height' | 'timestamp'>> {
  const answer = answerCodec.decode(answerBytes);
  return answer.ok ? decodeHeader(answer.value.header) : answer;
}

/**
 * Verifies an answer about a node.
 *
 * Refusals: those of `verifyStateRead` and `parsePeerId`, `record-undecodable`, `record-of-another-peer`.
 *
 * @param peerId in any form that `parsePeerId` takes
 */
export function verifyRead(
  answerBytes: Uint8Array,
  trusted: TrustedChain,
  options: ReadOptions & { readonly peerId: string },
): Result<VerifiedRead> {
  const identity = parsePeerId(options.peerId);
  if (!identity.ok) return identity;
  const { peerId } = identity.value;
  const read = verifyStateRead(answerBytes, trusted, { ...options, key: nodeKey(peerId) });
  if (!read.ok) return read;
  const { value, ...state } = read.value;
  const record = value === undefined ? ok(null) : recordOf(peerId, value);
  return record.ok ? ok({ peerId, record: record.value, ...state }) : record;
}

/** A quorum agreed on these bytes, so a refusal here means a newer program than this one, or a bug of all of them. */
function recordOf(peerId: string, value: Uint8Array): Result<NodeRecord | null> {
  const entry = nodeEntryCodec.decode(value);
  if (!entry.ok) {
    return refuse('record-undecodable', 'the record was proven, but this program cannot read it', {
      because: entry.refusal.code,
    });
  }
  if (entry.value.peerId !== peerId) {
    return refuse('record-of-another-peer', 'the proven record names another peer', { peerId: entry.value.peerId });
  }
  return ok(entry.value.kind === 'record' ? entry.value : null);
}

/**
 * Verifies an answer about any key of the state.
 *
 * Refusals: those of the codec, `decodeHeader`, `validatorsOfEpoch`, `verifyCommitProof`, `verifyTreeProof` and
 * `verifyHeadStatement`; `chain-id-mismatch`, `trust-crash-only`, `raft-seal-mismatch`, `seal-malformed`, `not-the-genesis-block`,
 * `head-statements-unordered`, `head-statement-of-another-block`, `head-statement-of-later-block`, `age-unknown`, `too-old`.
 */
export function verifyStateRead(
  answerBytes: Uint8Array,
  trusted: TrustedChain,
  options: ReadOptions & { readonly key: string },
): Result<VerifiedState> {
  const decoded = answerCodec.decode(answerBytes);
  if (!decoded.ok) return decoded;
  const answer = decoded.value;
  const header = headerOf(answer, trusted);
  if (!header.ok) return header;
  const { epoch, height, stateRoot, timestamp } = header.value;
  const block = { id: blockIdOf(answer.header), header: header.value };

  const value = answer.value ?? undefined;
  const proven = verifyTreeProof(stateRoot, options.key, value, answer.proof);
  if (!proven.ok) return proven;
  const validators = validatorsOfEpoch(trusted, epoch, answer.epochProofs, options.scheme);
  if (!validators.ok) return validators;
  const sealed = verifySeal(answer.seal, block, trusted, validators.value, options);
  if (!sealed.ok) return sealed;
  const stated = ageOf(answer.headStatements, block, trusted.chainId, validators.value, options);
  if (!stated.ok) return stated;
  const ageMs = sealed.value.trust === 'crash-only' ? (stated.value ?? ageOfLinearizable(options)) : stated.value;
  const fresh = checkAge(ageMs, options.maxAgeMs);
  if (!fresh.ok) return fresh;
  return ok({ value, epoch, height, blockId: block.id, stateRoot, timestamp, ageMs, ...sealed.value });
}

interface ProvenBlock {
  readonly id: Hash;
  readonly header: BlockHeader;
}

function headerOf(answer: ReadAnswer, trusted: TrustedChain): Result<BlockHeader> {
  const header = decodeHeader(answer.header);
  if (!header.ok || header.value.chainId === trusted.chainId) return header;
  return refuse('chain-id-mismatch', 'the answer belongs to another chain', {
    chainId: header.value.chainId,
    expected: trusted.chainId,
  });
}

function verifySeal(
  seal: Seal,
  block: ProvenBlock,
  trusted: TrustedChain,
  validators: ValidatorSet,
  { scheme, trust = 'byzantine' }: ReadOptions,
): Result<Pick<VerifiedState, 'signers' | 'trust'>> {
  switch (seal.kind) {
    case 'genesis':
      return verifyGenesisSeal(seal, block, trusted);
    case 'hotstuff': {
      const proof = decodeCommitProof(seal.bytes);
      if (!proof.ok) return proof;
      const verified = verifyCommitProof(proof.value, block, { chainId: trusted.chainId, validators, scheme });
      if (!verified.ok) return verified;
      const signers = proof.value.certificate.signers.map((signer) => validators.member(signer).peerId);
      return ok({ signers, trust: 'quorum' });
    }
    case 'raft':
      return trust === 'crash-only' ? checkCrashOnly(seal, block) : crashOnly(block.header.height);
  }
}

function crashOnly(height: number): Refused {
  return refuse(
    'trust-crash-only',
    'the answer is of a Raft epoch, which no quorum signed: it is the word of its server',
    {
      height,
    },
  );
}

function checkCrashOnly(seal: Seal, { header }: ProvenBlock): Result<Pick<VerifiedState, 'signers' | 'trust'>> {
  const decoded = decodeRaftSeal(seal.bytes);
  const fits = decoded.ok ? checkRaftHeader(header, decoded.value) : decoded;
  return fits.ok ? ok({ signers: [], trust: 'crash-only' }) : fits;
}

function verifyGenesisSeal(
  seal: Seal,
  block: ProvenBlock,
  trusted: TrustedChain,
): Result<Pick<VerifiedState, 'signers' | 'trust'>> {
  if (seal.bytes.length > 0)
    return refuse('seal-malformed', 'the seal of genesis is empty', { bytes: seal.bytes.length });
  if (block.header.height !== 0 || block.id !== trusted.genesisBlockId()) {
    return refuse('not-the-genesis-block', 'the block is not the one that the trusted genesis makes', {
      block: block.id,
      height: block.header.height,
    });
  }
  return ok({ signers: [], trust: 'genesis' });
}

/**
 * A statement counts for the proven block and for every block after its own: a validator whose head was at height H at
 * some moment had not committed anything above H, so the state proven at H or later is at least as new as that moment.
 * A busy chain, whose head has moved on since the statement, is thus as readable as an idle one.
 */
function checkStatementHead(statement: HeadStatement, { header, id }: ProvenBlock): Result<void> {
  const { height, signer } = statement;
  if (height > header.height) {
    return refuse('head-statement-of-later-block', 'a head statement is about a later block than the proven one', {
      signer,
      height,
      proven: header.height,
    });
  }
  const isSame = statement.blockId === id && statement.stateRoot === header.stateRoot;
  return height < header.height || isSame
    ? ok(undefined)
    : refuse('head-statement-of-another-block', 'a head statement names another block at the proven height', {
        signer,
        height,
      });
}

/** All statements must verify, even those that are too many: an answer carries nothing that was not checked. */
function ageOf(
  statements: readonly HeadStatement[],
  block: ProvenBlock,
  chainId: string,
  validators: ValidatorSet,
  { nowMs, scheme }: ReadOptions,
): Result<number | null> {
  let lastSigner = -1;
  for (const statement of statements) {
    const { signer } = statement;
    if (signer <= lastSigner) {
      return refuse('head-statements-unordered', 'head statements go by rising index, each validator once', { signer });
    }
    lastSigner = signer;
    const usable = checkStatementHead(statement, block);
    if (!usable.ok) return usable;
    const verified = verifyHeadStatement(statement, { chainId, validators }, scheme);
    if (!verified.ok) return verified;
  }
  const times = statements.map((statement) => statement.nowMs).filter((time) => time <= nowMs + MAX_CLOCK_LEAD_MS);
  const oldestNeeded = times.sort((a, b) => b - a)[validators.f];
  return ok(oldestNeeded === undefined ? null : Math.max(0, nowMs - oldestNeeded));
}

/** Whoever believes the server of what it holds believes it of when it held it. */
function ageOfLinearizable({ linearizableSinceMs, nowMs }: ReadOptions): number | null {
  return linearizableSinceMs === undefined ? null : Math.max(0, nowMs - linearizableSinceMs);
}

function checkAge(ageMs: number | null, maxAgeMs: number | undefined): Result<void> {
  if (maxAgeMs === undefined) return ok(undefined);
  if (ageMs === null) {
    return refuse('age-unknown', 'too few validators say that this is their head, so its age is unknown', { maxAgeMs });
  }
  return ageMs <= maxAgeMs
    ? ok(undefined)
    : refuse('too-old', 'the answer is older than the reader takes', { ageMs, maxAgeMs });
}

/**
 * Two verified reads of one chain never name different blocks at one height. If they do, more than f validators of
 * that epoch lied, and a reader must stop.
 *
 * Refusal: `conflicting-certificates`.
 */
export function checkConsistent(
  a: Pick<VerifiedState, 'blockId' | 'height'>,
  b: Pick<VerifiedState, 'blockId' | 'height'>,
): Result<void> {
  return a.height !== b.height || a.blockId === b.blockId
    ? ok(undefined)
    : refuse('conflicting-certificates', 'two quorums certified different blocks at one height', {
        height: a.height,
        one: a.blockId,
        other: b.blockId,
      });
}
