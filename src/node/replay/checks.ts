/**
 * Seals and signatures of the blocks of a replay, on all cores, while the main thread executes others. A block counts as
 * replayed only once its own checks have passed.
 */
import { CodedError, ok, refuse, type Result } from '../../base/result.ts';
import type { Block, SealedBlock } from '../../ledger/block.ts';
import { decodeCommitProof } from '../../ledger/commit-proof.ts';
import { eventSigningBytes } from '../../ledger/event.ts';
import type { EpochContext } from '../../qc/certificate.ts';
import type { SignatureScheme } from '../../qc/scheme.ts';
import { SignatureThread } from '../signature-thread.ts';
import { runVerificationJob } from '../verification-jobs.ts';
import { VerificationPool, type Verifier } from '../verification-pool.ts';

export interface BlockChecksOptions {
  readonly context: EpochContext;
  readonly scheme: SignatureScheme;
  readonly seals: boolean;
  readonly signatures: boolean;
  /** Worker threads for seals and signatures. */
  readonly threads: number;
  /** Blocks that are about to come. */
  readonly blocks: number;
}

/**
 * Checks under way while a block is executed: enough to keep every core busy through a block of 2,000 events, few enough
 * to stay small, as each holds its event.
 */
const MAX_CHECKS_UNDER_WAY = 4096;
/** To check this many here takes as long as it takes a thread to start. */
const FEW_SEALS = 256;
/** Batches that a signature thread has before it: executing a full block takes 100 ms, in which nothing is handed out. */
const BATCHES_UNDER_WAY = 32;
/** Blocks are executed one after the other, and what is checked meanwhile fills the cores beside that: 5 to 12 % faster. */
const NICENESS = 5;

export class BlockChecks {
  readonly #options: BlockChecksOptions;
  readonly #pool: VerificationPool | undefined;
  readonly #seals: Verifier;
  readonly #signatures: readonly SignatureThread[];
  #underWay = 0;
  #waiting: (() => void) | null = null;

  constructor(options: BlockChecksOptions) {
    const { blocks, context, scheme, seals, signatures, threads } = options;
    this.#options = options;
    // A seal costs what ten signatures do, and a block of them far more: half of the threads keep up with the seals.
    this.#pool = seals && blocks > FEW_SEALS ? new VerificationPool(context, Math.max(1, threads >> 1)) : undefined;
    this.#seals = this.#pool ?? { run: (job) => Promise.resolve(ok(runVerificationJob(job, context, scheme))) };
    this.#signatures = Array.from(
      { length: signatures ? threads : 0 },
      () => new SignatureThread({ batchesUnderWay: BATCHES_UNDER_WAY, niceness: NICENESS }),
    );
  }

  /**
   * Settles when all of a block's checks have passed.
   *
   * @throws CodedError `replay-seal-invalid`, `replay-signature-invalid`; a rejection that nobody awaits is no other's
   */
  begin(sealed: SealedBlock): Promise<void> {
    const { seals, signatures } = this.#options;
    const checks: Promise<Result<unknown>>[] = [];
    if (seals) checks.push(checkSeal(sealed, this.#seals));
    if (signatures && sealed.block.events.length > 0) checks.push(checkSignatures(sealed.block, this.#signatures));
    const cost = (seals ? 1 : 0) + (signatures ? sealed.block.events.length : 0);
    this.#underWay += cost;
    const passed = Promise.all(checks).then((results) => {
      for (const result of results) if (!result.ok) throw new CodedError(result.refusal);
    });
    const end = (): void => {
      this.#underWay -= cost;
      this.#waiting?.();
      this.#waiting = null;
    };
    passed.then(end, end);
    return passed;
  }

  /** Settles when there is room for the checks of another block. */
  async room(): Promise<void> {
    while (this.#underWay > MAX_CHECKS_UNDER_WAY) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await promise;
    }
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    await Promise.all(this.#signatures.map((thread) => thread.close()));
  }
}

async function checkSeal({ block, seal }: SealedBlock, seals: Verifier): Promise<Result<unknown>> {
  const proof = decodeCommitProof(seal.bytes);
  const { height } = block.header;
  if (!proof.ok) return sealInvalid(height, proof.refusal.code);
  const answer = await seals.run(
    { kind: 'seal', proof: proof.value, block: { id: block.id, header: block.header } },
    'consensus',
  );
  if (!answer.ok) return answer;
  const { value: outcome } = answer;
  return outcome.kind === 'checked' && !outcome.result.ok ? sealInvalid(height, outcome.result.refusal.code) : answer;
}

function sealInvalid(height: number, because: string): Result<never> {
  return refuse('replay-seal-invalid', 'the log holds a block that no quorum sealed', { height, because });
}

/** All of a block's signatures, side by side. */
async function checkSignatures(
  { events, header: { chainId, height } }: Block,
  threads: readonly SignatureThread[],
): Promise<Result<unknown>> {
  const valid = await Promise.all(
    events.map(({ identity, json, signature }, index) =>
      (threads[index % threads.length] as SignatureThread).verify(
        identity,
        eventSigningBytes(chainId, json),
        signature,
      ),
    ),
  );
  const forged = events[valid.indexOf(false)];
  if (forged === undefined) return ok(null);
  return refuse('replay-signature-invalid', 'the log holds an event that its node did not sign', {
    height,
    event: forged.id,
  });
}
