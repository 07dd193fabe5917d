/**
 * Nodes that tell the ledger of themselves: real events, signed, one in flight each, sent to some validator and, when
 * no answer comes, sent again to another. What they are told is what the ledger promised them.
 */
import type { Hash } from '../../src/base/hash.ts';
import { Random } from '../../src/base/random.ts';
import { answersTo } from '../../src/node/submission-service.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../src/node/sign-event.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import { NO_CAPABILITIES, peerOf } from '../ledger/nodes.ts';
import { seedOf } from './dice.ts';
import type { Scheduler } from './scheduler.ts';
import { signAsPeer, START_MS } from './simulated-keys.ts';
import type { Life, SimulatedValidator } from './simulated-validator.ts';
import type { Tally } from './tally.ts';

export interface SubmittersOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly chainId: string;
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

  constructor(options: SubmittersOptions, count: number) {
    this.#options = options;
    this.#all = Array.from({ length: count }, (_, place) => new Submitter(this, options, place));
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
  readonly #peerId: string;
  #joined = false;
  #seq = 0;
  #event: OwnSignedEvent | null = null;
  /** Counts attempts, so that a late answer or a late timer of an earlier one changes nothing. */
  #attempt = 0;

  constructor(all: Submitters, options: SubmittersOptions, place: number) {
    this.#all = all;
    this.#options = options;
    this.#random = new Random(seedOf(options.seed, 400, place));
    this.#peerId = peerOf(1000 + place);
  }

  get isWaiting(): boolean {
    return this.#event !== null;
  }

  think(): void {
    const { thinkMs } = this.#all;
    const pauseMs = Number.isFinite(thinkMs) ? 2 * thinkMs * this.#random.fraction() : 50;
    this.#options.scheduler.after(pauseMs, null, () => {
      if (!Number.isFinite(this.#all.thinkMs)) return this.think();
      this.#begin();
      this.#send();
    });
  }

  #begin(): void {
    const nowMs = START_MS + this.#options.scheduler.nowMs + this.#all.skewMs;
    this.#seq++;
    const event = { ...this.#body(), peerId: this.#peerId, seq: this.#seq, time: Math.floor(nowMs / 1000) };
    const key = { sign: (message: Uint8Array) => signAsPeer(this.#peerId, message) };
    this.#event = signEvent(key, this.#options.chainId, event);
  }

  #body(): EventBody {
    const version = `v0.${this.#random.below(9)}.${this.#random.below(99)}`;
    const multiaddrs = [`/ip4/203.0.113.${1 + this.#random.below(250)}/udp/4001/quic-v1`];
    if (!this.#joined) return { type: 'joined', multiaddrs, version, ...NO_CAPABILITIES };
    const die = this.#random.below(20);
    if (die === 0) return { type: 'left' };
    if (die === 1) return { type: 'heartbeat' };
    if (die < 5) return { type: 'addressesChanged', multiaddrs };
    if (die < 8) return { type: 'capabilitiesDeclared', ...NO_CAPABILITIES, isWebScraper: this.#random.chance(0.5) };
    return { type: 'versionChanged', version };
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
      void answersTo(chainId, this.#peerId, submission, submissions).then(([answer]) => {
        if (!life.ended && answer !== undefined) this.#answered(life, event, attempt, answer);
      });
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
      if (answer.refusal.code === 'not-joined' || answer.refusal.code === 'already-joined') {
        this.#joined = answer.refusal.code === 'already-joined';
      }
    } else {
      this.#all.tally.count('submission acknowledged');
      if (event.event.type === 'joined') this.#joined = true;
      if (event.event.type === 'left') this.#joined = false;
    }
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
