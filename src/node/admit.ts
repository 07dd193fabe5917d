/**
 * Admission: the only way by which what others sent reaches an engine. A message is decoded, bounded, checked for what
 * is cheap, and then for what costs: identity signatures and event signatures on libuv's pool, pairings on the
 * verification pool. All of a message's checks run side by side, because its latency is the network's latency.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { ValidatorIndex, VerifiedSealedBlock } from '../consensus/engine.ts';
import { candidateOf, type AdmissionView, type Candidate, type Duties, type Fulfilled } from '../hotstuff/admission.ts';
import type { AdmittedMessage, HotstuffMessage } from '../hotstuff/messages.ts';
import { decodeMessage, decodeStoredBlocks } from '../hotstuff/wire.ts';
import { decodeSealedBlock, type BlockHeader, type Seal, type SealedBlock } from '../ledger/block.ts';
import { decodeCommitProof } from '../ledger/commit-proof.ts';
import type { SignedEvent } from '../ledger/event.ts';
import { parsePeerId, type Identity } from '../ledger/identity.ts';
import { verifiedEvent, type VerifiedEvent } from '../ledger/verified-event.ts';
import { certificateVerifiedBefore, type EpochContext } from '../qc/certificate.ts';
import { timeoutCertificateVerifiedBefore } from '../qc/timeout-certificate.ts';
import type { EventVerifier } from './event-verifier.ts';
import type { VerificationJob } from './verification-jobs.ts';
import type { Urgency, Verifier } from './verification-pool.ts';

export interface AdmissionOptions {
  readonly context: EpochContext;
  readonly verifier: Verifier;
  readonly events: EventVerifier;
  readonly verifySignature: (identity: Identity, message: Uint8Array, signature: Uint8Array) => Promise<boolean>;
  /** Messages of one validator that may be under check at once. */
  readonly maxUnderCheckPerPeer: number;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #identities: readonly Identity[];
  readonly #underCheck = new Map<ValidatorIndex, number>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#identities = options.context.validators.members.map(({ peerId }) => {
      const identity = parsePeerId(peerId);
      assert(identity.ok, 'a validator has a valid peer id', { peerId });
      return identity.value;
    });
  }

  /**
   * A frame of the consensus protocol. Refusals: those of decoding, of `candidateOf` and of the signatures, and
   * `admission-full` when this validator has too much under check.
   */
  async message(from: ValidatorIndex, frame: Uint8Array, view: AdmissionView): Promise<Result<AdmittedMessage>> {
    const share = this.#underCheck.get(from) ?? 0;
    if (share >= this.#options.maxUnderCheckPerPeer) {
      return refuse('admission-full', 'too many messages of this validator are under check', { from, share });
    }
    const message = decodeMessage(this.#options.context.chainId, frame, this.#options.events.decode);
    if (!message.ok) return message;
    // Blocks are asked for, on a protocol of their own; nobody may push them.
    if (message.value.kind === 'blocks') return refuse('message-unasked', 'nobody asked for these blocks', { from });
    this.#underCheck.set(from, share + 1);
    try {
      return await this.#admit(message.value, from, view);
    } finally {
      this.#underCheck.set(from, (this.#underCheck.get(from) as number) - 1);
    }
  }

  /** The answer to a fetch by id: certified blocks, whose event signatures a quorum has checked. */
  async fetchedBlocks(
    from: ValidatorIndex,
    stored: readonly Uint8Array[],
    view: AdmissionView,
  ): Promise<Result<AdmittedMessage>> {
    const blocks = decodeStoredBlocks(this.#options.context.chainId, stored);
    return blocks.ok ? this.#admit({ kind: 'blocks', blocks: blocks.value }, from, view) : blocks;
  }

  /** A committed block from sync or gossip. Refusals: those of decoding and of `seal`. */
  async sealedBlock(sealedBytes: Uint8Array, urgency: Urgency): Promise<Result<VerifiedSealedBlock>> {
    const decoded = decodeSealedBlock(this.#options.context.chainId, sealedBytes);
    if (!decoded.ok) return decoded;
    const { block, seal } = decoded.value;
    const checked = await this.seal(seal, block, urgency);
    return checked.ok ? ok(sealed(decoded.value)) : checked;
  }

  /** The seal alone. Refusals: those of decoding it, of `verifyCommitProof`, `trust-crash-only` and `seal-kind-unknown`. */
  async seal(
    seal: Seal,
    { header, id }: { readonly id: Hash; readonly header: BlockHeader },
    urgency: Urgency,
  ): Promise<Result<null>> {
    if (seal.kind === 'raft') {
      return refuse('trust-crash-only', 'a Raft seal is no evidence: who follows a Raft cluster is a member of it', {
        height: header.height,
      });
    }
    if (seal.kind !== 'hotstuff') {
      return refuse('seal-kind-unknown', 'the seal is not of an engine of this chain', { kind: seal.kind });
    }
    const proof = decodeCommitProof(seal.bytes);
    return proof.ok ? this.#check({ kind: 'seal', proof: proof.value, block: { id, header } }, urgency) : proof;
  }

  async #admit(message: HotstuffMessage, from: ValidatorIndex, view: AdmissionView): Promise<Result<AdmittedMessage>> {
    const candidate = candidateOf(message, from, view);
    if (!candidate.ok) return candidate;
    const fulfilled = await this.#fulfil(candidate.value);
    return fulfilled.ok ? ok(candidate.value.admit(fulfilled.value)) : fulfilled;
  }

  async #fulfil({ message, duties }: Candidate): Promise<Result<Fulfilled>> {
    if (isFree(duties) && message.kind !== 'blocks') return ok(NOTHING_TO_FULFIL);
    const [checks, events] = await Promise.all([this.#checkAll(duties), this.#eventsOf(message, duties)]);
    if (!checks.ok) return checks;
    if (!events.ok) return events;
    // Just verified, in another thread: the brand could not cross with the outcome.
    return ok({
      certificate: duties.certificate === null ? null : certificateVerifiedBefore(duties.certificate),
      timeoutCertificate:
        duties.timeoutCertificate === null ? null : timeoutCertificateVerifiedBefore(duties.timeoutCertificate),
      events: events.value,
    });
  }

  async #checkAll({ signatures, certificate, timeoutCertificate }: Duties): Promise<Result<null>> {
    const checks = signatures.map(({ signWith, signer, preimage, signature }) =>
      signWith === 'bls'
        ? this.#check({ kind: 'signature', signer, preimage, signature }, 'consensus')
        : this.#checkIdentity(signer, preimage, signature),
    );
    if (certificate !== null) checks.push(this.#check({ kind: 'certificate', certificate }, 'consensus'));
    if (timeoutCertificate !== null) {
      checks.push(this.#check({ kind: 'timeoutCertificate', certificate: timeoutCertificate }, 'consensus'));
    }
    for (const check of await Promise.all(checks)) if (!check.ok) return check;
    return ok(null);
  }

  async #checkIdentity(signer: ValidatorIndex, preimage: Uint8Array, signature: Uint8Array): Promise<Result<null>> {
    const identity = this.#identities[signer];
    assert(identity !== undefined, 'duties name validators of the set', { signer });
    return (await this.#options.verifySignature(identity, preimage, signature))
      ? ok(null)
      : refuse('signature-invalid', 'the signature is not by this validator', { peerId: identity.peerId });
  }

  /** One list a block. What a verified certificate names was checked by a quorum before it was certified. */
  async #eventsOf(
    message: Candidate['message'],
    duties: Duties,
  ): Promise<Result<readonly (readonly VerifiedEvent[])[]>> {
    if (message.kind === 'blocks') return ok(message.blocks.map(({ block }) => certified(block.events)));
    if (duties.events.length === 0) return ok([]);
    const verified = await this.#options.events.verifyAll(duties.events);
    return verified.ok ? ok([verified.value]) : verified;
  }

  async #check(job: VerificationJob, urgency: Urgency): Promise<Result<null>> {
    const answer = await this.#options.verifier.run(job, urgency);
    if (!answer.ok) return answer;
    assert(answer.value.kind === 'checked', 'a check is answered with its result', { kind: job.kind });
    return answer.value.result;
  }
}

/** Nothing of the message has to be checked beyond its form: ballots are, when they are collected. */
function isFree({ certificate, events, signatures, timeoutCertificate }: Duties): boolean {
  return certificate === null && timeoutCertificate === null && signatures.length === 0 && events.length === 0;
}

const NOTHING_TO_FULFIL: Fulfilled = { certificate: null, timeoutCertificate: null, events: [] };

function certified(events: readonly SignedEvent[]): readonly VerifiedEvent[] {
  return events.map((event) => verifiedEvent(event, 'own-log'));
}

/** The one place where a sealed block is branded as verified, besides replay. */
function sealed(block: SealedBlock): VerifiedSealedBlock {
  return { ...block, events: certified(block.block.events) } as VerifiedSealedBlock;
}
