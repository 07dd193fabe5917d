/**
 * Signed statements of where heads are, so that a reader knows how old a proof is. A validator signs one on demand, at
 * most one every five seconds; a node that serves reads keeps the newest of every validator and asks again on demand.
 * Nobody asks, nobody signs: an idle network stays idle.
 */
import { assert } from '../base/assert.ts';
import type { Result } from '../base/result.ts';
import { headStatementPreimage } from '../qc/ballot.ts';
import type { EpochContext } from '../qc/certificate.ts';
import { headStatementCodec, type HeadStatement } from '../qc/head-statement.ts';
import type { Head } from '../ledger/machine.ts';
import type { Verifier } from './verification-pool.ts';

export interface HeadStatementsOptions {
  readonly context: EpochContext;
  readonly nowMs: () => number;
  readonly verifier: Verifier;
  /** This validator's index and key; null for an observer. */
  readonly signer: { readonly index: number; readonly sign: (preimage: Uint8Array) => Uint8Array } | null;
  readonly head: () => Head;
  /** Asks one validator for its statement. */
  readonly ask: (validator: number) => Promise<Result<Uint8Array>>;
}

/** A validator signs at most one statement in this time, and a server asks each validator at most once in it. */
const MIN_INTERVAL_MS = 5_000;

export class HeadStatements {
  readonly #options: HeadStatementsOptions;
  readonly #newest = new Map<number, HeadStatement>();
  #own: HeadStatement | null = null;
  #askedAtMs = -MIN_INTERVAL_MS;
  #asking: Promise<void> = Promise.resolve();

  constructor(options: HeadStatementsOptions) {
    this.#options = options;
  }

  /** Validators that may lie. */
  get f(): number {
    return this.#options.context.validators.f;
  }

  /** This validator's own statement, encoded; null for an observer. */
  own(): Uint8Array | null {
    const statement = this.#current();
    return statement === null ? null : headStatementCodec.encode(statement);
  }

  /**
   * The newest verified statement of each validator that ever answered. When they are not fresh it asks all, and waits
   * for as many as an age needs: the others may be slow, or down.
   */
  async collect(): Promise<readonly HeadStatement[]> {
    const now = this.#options.nowMs();
    const age = now - this.#askedAtMs;
    if (age >= MIN_INTERVAL_MS || age < 0) {
      this.#askedAtMs = now;
      this.#asking = this.#askForEnough();
    }
    await this.#asking;
    return [...this.#newest.values()];
  }

  #current(): HeadStatement | null {
    const { context, head, nowMs, signer } = this.#options;
    if (signer === null) return null;
    const now = nowMs();
    const age = this.#own === null ? Infinity : now - this.#own.nowMs;
    if (this.#own !== null && age >= 0 && age < MIN_INTERVAL_MS) return this.#own;
    const { height, blockId, stateRoot } = head();
    const { epoch } = context.validators;
    const data = { height, blockId, stateRoot, nowMs: now };
    const signature = signer.sign(headStatementPreimage({ chainId: context.chainId, epoch }, data));
    this.#own = { ...data, epoch, signer: signer.index, signature };
    return this.#own;
  }

  /** Resolves once f + 1 have stated where they are, or all have had their chance. */
  async #askForEnough(): Promise<void> {
    const { f, n } = this.#options.context.validators;
    const { promise: enough, resolve, reject } = Promise.withResolvers<void>();
    let heard = this.#stateOwn() ? 1 : 0;
    if (heard > f) resolve();
    const others = Array.from({ length: n }, (_, index) => index).filter(
      (index) => index !== this.#options.signer?.index,
    );
    const asked = others.map(async (index) => {
      if (await this.#askOne(index)) heard++;
      if (heard > f) resolve();
    });
    Promise.all(asked).then(() => resolve(), reject);
    await enough;
  }

  #stateOwn(): boolean {
    const own = this.#current();
    if (own !== null) this.#newest.set(own.signer, own);
    return own !== null;
  }

  /** A validator that does not answer, or answers rubbish, only keeps its older statement. @returns whether it answered */
  async #askOne(index: number): Promise<boolean> {
    const answer = await this.#options.ask(index);
    if (!answer.ok) return false;
    const statement = headStatementCodec.decode(answer.value);
    if (!statement.ok || statement.value.signer !== index) return false;
    const checked = await this.#verify(statement.value);
    if (checked.ok) this.#newest.set(index, statement.value);
    return checked.ok;
  }

  async #verify(statement: HeadStatement): Promise<Result<null>> {
    const answer = await this.#options.verifier.run({ kind: 'headStatement', statement }, 'sync');
    if (!answer.ok) return answer;
    assert(answer.value.kind === 'checked', 'a check is answered with its result');
    return answer.value.result;
  }
}
