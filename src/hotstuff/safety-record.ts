/**
 * What a validator must not forget: everything that decides what it may still sign. Written durably before anything
 * that depends on it is sent; a validator whose key is known but whose record is missing does not sign. One flipped bit
 * could make it say that less was signed than was, so it is written with its hash.
 */
import { bool, codec, mapped, nullable, struct, uint } from '../base/codec.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { contentOf, withCheck } from '../ledger/checked-record.ts';
import { timeoutShape, voteShape, type TimeoutData, type VoteData } from '../qc/ballot.ts';
import {
  certificateVerifiedBefore,
  certificateShape,
  type QuorumCertificate,
  type VerifiedCertificate,
} from '../qc/certificate.ts';
import {
  timeoutCertificateVerifiedBefore,
  timeoutCertificateShape,
  type TimeoutCertificate,
  type VerifiedTimeoutCertificate,
} from '../qc/timeout-certificate.ts';

/** A timeout with what travels beside it, kept whole so that it is resent byte for byte. */
export interface StoredTimeout {
  readonly timeout: TimeoutData;
  readonly highCertificate: QuorumCertificate;
  readonly timeoutCertificate: TimeoutCertificate | null;
}

export interface SafetyRecord {
  readonly epoch: number;
  /** The highest round in which this validator voted or gave up: it never votes in it or below again. */
  readonly lastVotedRound: number;
  /** The highest certificate round that it voted on: it never says that it knows less. */
  readonly lockedRound: number;
  readonly lastVote: VoteData | null;
  readonly lastTimeout: StoredTimeout | null;
  readonly highCertificate: VerifiedCertificate;
  readonly highTimeoutCertificate: VerifiedTimeoutCertificate | null;
  /** Others hold ballots of this validator above this record: it must not sign with this key again. */
  readonly rolledBack: boolean;
}

const recordCodec = codec(
  struct<SafetyRecord>({
    epoch: uint(),
    lastVotedRound: uint(),
    lockedRound: uint(),
    lastVote: nullable(voteShape),
    lastTimeout: nullable(
      struct<StoredTimeout>({
        timeout: timeoutShape,
        highCertificate: certificateShape,
        timeoutCertificate: nullable(timeoutCertificateShape),
      }),
    ),
    highCertificate: mapped<VerifiedCertificate, QuorumCertificate>(
      certificateShape,
      (certificate) => certificate,
      certificateVerifiedBefore,
    ),
    highTimeoutCertificate: nullable(
      mapped<VerifiedTimeoutCertificate, TimeoutCertificate>(
        timeoutCertificateShape,
        (certificate) => certificate,
        timeoutCertificateVerifiedBefore,
      ),
    ),
    rolledBack: bool,
  }),
  8192,
);

/** Of a validator that has signed nothing in this epoch: only when its data directory is made, or its epoch begins. */
export function firstSafetyRecord(genesis: VerifiedCertificate): SafetyRecord {
  return {
    epoch: genesis.epoch,
    lastVotedRound: 0,
    lockedRound: 0,
    lastVote: null,
    lastTimeout: null,
    highCertificate: genesis,
    highTimeoutCertificate: null,
    rolledBack: false,
  };
}

export function encodeSafetyRecord(record: SafetyRecord): Uint8Array {
  return withCheck(recordCodec.encode(record));
}

/** Refusals: `safety-record-corrupt`. */
export function decodeSafetyRecord(recordBytes: Uint8Array): Result<SafetyRecord> {
  const content = contentOf(recordBytes);
  if (content === null) return corrupt('the safety record has changed since it was written', 'another hash');
  const decoded = recordCodec.decode(content);
  if (!decoded.ok) return corrupt('the safety record cannot be read', decoded.refusal.code);
  const problem = inconsistencyOf(decoded.value);
  return problem === null ? ok(decoded.value) : corrupt('the safety record contradicts itself', problem);
}

function corrupt(what: string, reason: string): Refused {
  return refuse('safety-record-corrupt', `${what}: this validator must not sign`, { reason });
}

function inconsistencyOf(record: SafetyRecord): string | null {
  if ((record.lastVote?.round ?? 0) > record.lastVotedRound) return 'a vote above the last voted round';
  if ((record.lastTimeout?.timeout.round ?? 0) > record.lastVotedRound) return 'a timeout above the last voted round';
  if (record.lockedRound > record.highCertificate.vote.round) return 'a lock above the highest certificate';
  return null;
}
