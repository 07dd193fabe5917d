/**
 * Those who tell the ledger something (`authors.ts`): real events, signed, one in flight each, sent to some validator
 * and, when no answer comes, sent again to another. What they are told is what the ledger promised them.
 */
import type { Hash } from '../../src/base/hash.ts';
import { Random } from '../../src/base/random.ts';
import { CodedError } from '../../src/base/result.ts';
import { answersTo } from '../../src/node/submission-service.ts';
import { signEvent, type OwnSignedEvent } from '../../src/node/sign-event.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import type { ValidatorSet } from '../../src/qc/validator-set.ts';
import { NodeAuthor, OperatorAuthor, type Author } from './authors.ts';
import { seedOf } from './dice.ts';
import type { Scheduler } from './scheduler.ts';
import { signAsPeer, START_MS } from './simulated-keys.ts';
import type { Life, SimulatedValidator } from './simulated-validator.ts';
import type { Tally } from './tally.ts';

export interface SubmittersOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly chainId: string;
  readonly validators: ValidatorSet;
  readonly nodes: () => readonly SimulatedValidator[];
  readonly tally: Tally;
  readonly onAcknowledged: (life: Life, event: Hash, height: number | null) => void;
  readonly onRefused: (life: Life, event: Hash, code: string) => void;
}

/** Longer than a validator lets a submission wait. */
const PATIENCE_MS = 12_000;
const RETRY_MS = 250;
/** Answers after which the same event is sent again. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['busy', 'no-quorum', 'not-committed-yet', 'stopping', 'mempool-full']);

export class Submitters {
  readonly #options: SubmittersOptions;
  readonly #all: Submitter[];
  /** Mean milliseconds between an answer and the next event; Infinity: nobody begins anything. */
  thinkMs = 2;
  /** What their clocks show beside the true time. */
  skewMs = 0;

  /** @param operators whether validators decide things as well */
  constructor(options: SubmittersOptions, count: number, operators: boolean) {
    this.#options = options;
    const { nodes, seed, validators } = options;
    const authors = Array.from({ length: count }, (_, place) => {
      const random = new Random(seedOf(seed, 400, place));
      return new Submitter(this, options, new NodeAuthor(place, random), random);
    });
    const deciding = Array.from({ length: operators ? validators.n : 0 }, (_, index) => {
      const random = new Random(seedOf(seed, 401, index));
      // Who decides looks at what its own validator holds; a damaged disk shows it nothing.
      const state = () => {
        const node = nodes()[index];
        return node?.disk.damage === 'none' ? node.life?.ledger?.log.state : undefined;
      };
      return new Submitter(
        this,
        options,
        new OperatorAuthor({ index, validators, nodes: count, state }, random),
        random,
      );
    });
    this.#all = [...authors, ...deciding];
  }

  start(): void {
    for (const submitter of this.#all) submitter.think();
  }

  /** Events that were sent and not yet answered for good. */
  get inFlight(): number {
    return this.#all.filter(({ isWaiting }) => isWaiting).length;
  }

  get tally(): Tally {
    return this.#options.tally;
  }
}

class Submitter {
  readonly #all: Submitters;
  readonly #options: SubmittersOptions;
  readonly #random: Random;
  readonly #author: Author;
  #seq = 0;
  #event: OwnSignedEvent | null = null;
  /** Counts attempts, so that a late answer or a late timer of an earlier one changes nothing. */
  #attempt = 0;

  constructor(all: Submitters, options: SubmittersOptions, author: Author, random: Random) {
    this.#all = all;
    this.#options = options;
    this.#author = author;
    this.#random = random;
  }

  get isWaiting(): boolean {
    return this.#event !== null;
  }

  think(): void {
    const { thinkMs } = this.#all;
    const meanMs = thinkMs * this.#author.slowness;
    const pauseMs = Number.isFinite(meanMs) ? 2 * meanMs * this.#random.fraction() : 50;
    this.#options.scheduler.after(pauseMs, null, () => {
      if (!Number.isFinite(this.#all.thinkMs)) return this.think();
      if (this.#begin()) this.#send();
      else this.think();
    });
  }

  /** @returns whether there is anything to tell */
  #begin(): boolean {
    const nowMs = START_MS + this.#options.scheduler.nowMs + this.#all.skewMs;
    const { peerId } = this.#author;
    const time = Math.floor(nowMs / 1000);
    const body = this.#author.next(time);
    if (body === null) return false;
    const event = { ...body, peerId, seq: ++this.#seq, time };
    const key = { sign: (message: Uint8Array) => signAsPeer(peerId, message) };
    this.#event = signEvent(key, this.#options.chainId, event);
    return true;
  }

  #send(): void {
    const event = this.#event;
    if (event === null) return;
    const attempt = ++this.#attempt;
    const { scheduler, nodes, chainId } = this.#options;
    const node = this.#random.pick(nodes());
    const isJson = this.#random.chance(0.5);
    scheduler.after(this.#delay(), null, () => {
      const { life } = node;
      const submissions = life?.consensus?.submissions;
      if (life === null || submissions === undefined) return;
      const submission = isJson
        ? ({ kind: 'json', value: event.submission } as const)
        : ({ kind: 'binary', events: [event.bytes], acknowledge: 'committed' } as const);
      scheduler.current = life;
      answersTo(chainId, this.#author.peerId, submission, submissions).then(
        ([answer]) => {
          if (!life.ended && answer !== undefined) this.#answered(life, event, attempt, answer);
        },
        // A damaged disk answers nobody.
        (error: unknown) => {
          if (node.disk.damage === 'none' || !(error instanceof CodedError)) throw error;
        },
      );
    });
    scheduler.after(PATIENCE_MS, null, () => this.#again(attempt));
  }

  /** At the validator: what it says counts from here on, whether it arrives or not. */
  #answered(life: Life, event: OwnSignedEvent, attempt: number, answer: SubmissionAnswer): void {
    const { onAcknowledged, onRefused, scheduler } = this.#options;
    if (answer.kind === 'acknowledged') onAcknowledged(life, event.id, answer.height);
    // An answer to an attempt that another one overtook may rightly say that later events are committed.
    else if (this.#event === event) onRefused(life, event.id, answer.refusal.code);
    scheduler.after(this.#delay(), null, () => this.#arrived(event, attempt, answer));
  }

  #arrived(event: OwnSignedEvent, attempt: number, answer: SubmissionAnswer): void {
    if (this.#event !== event) return;
    if (answer.kind === 'refused') {
      this.#all.tally.count(`submission refused: ${answer.refusal.code}`);
      if (TRY_AGAIN.has(answer.refusal.code)) {
        this.#options.scheduler.after(RETRY_MS, null, () => this.#again(attempt));
        return;
      }
    } else {
      this.#all.tally.count('submission acknowledged');
    }
    this.#author.settled(event.event, answer.kind === 'refused' ? answer.refusal.code : null);
    this.#event = null;
    this.think();
  }

  #again(attempt: number): void {
    if (attempt !== this.#attempt || this.#event === null) return;
    this.#all.tally.count('submission sent again');
    this.#send();
  }

  #delay(): number {
    return 0.2 + this.#random.fraction() * 2;
  }
}
