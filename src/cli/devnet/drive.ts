/**
 * Lets a population live on a network: signs what its nodes do, submits it, repeats what was not answered for good, and
 * remembers what was acknowledged, so that it can be looked for afterwards.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';
import type { WrittenEvent } from '../../ledger/event.ts';
import type { IdentityKey } from '../../node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../node/sign-event.ts';
import { LatencySample } from './latency.ts';
import { submitUntilSettled, type Submit } from './settle.ts';
import type { Population, SimulatedEvent } from './population.ts';

const TICK_MAX_MS = 250;

export interface DriveCounts {
  readonly submitted: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Submitted, and neither acknowledged nor refused so far. */
  readonly unanswered: number;
}

export interface DriveOptions {
  readonly population: Population;
  readonly keys: readonly IdentityKey[];
  /** Highest sequence number that the ledger holds of each node, where it holds one. */
  readonly lastSeq: ReadonlyMap<string, number>;
  readonly chainId: string;
  readonly submit: Submit;
  /** Told of every event that was acknowledged. */
  readonly onAcknowledged?: (event: OwnSignedEvent) => void;
}

export class Drive {
  readonly #options: DriveOptions;
  readonly #lastSeq: Map<string, number>;
  readonly #acknowledgedSeq = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #refusals = new Map<string, number>();
  readonly latencyMs = new LatencySample();
  #submitted = 0;
  #acknowledged = 0;
  #refused = 0;

  constructor(options: DriveOptions) {
    this.#options = options;
    this.#lastSeq = new Map(options.lastSeq);
  }

  /** Until the signal aborts; then waits for the answers still under way, at most as long as is given. */
  async run(signal: AbortSignal, patienceMs: number): Promise<void> {
    const { population } = this.#options;
    const giveUp = new AbortController();
    while (!signal.aborted) {
      for (const event of population.due(Date.now())) this.#begin(event, giveUp.signal);
      const pauseMs = Math.min(TICK_MAX_MS, Math.max(1, population.wakeAtMs() - Date.now()));
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    await Promise.race([Promise.all(this.#underWay), delay(patienceMs, undefined, { ref: false })]);
    giveUp.abort();
  }

  counts(): DriveCounts {
    const unanswered = this.#submitted - this.#acknowledged - this.#refused;
    return { submitted: this.#submitted, acknowledged: this.#acknowledged, refused: this.#refused, unanswered };
  }

  /** How often each code refused an event. */
  refusals(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refusals);
  }

  /** The highest acknowledged sequence number of each node. */
  acknowledgedSeq(): ReadonlyMap<string, number> {
    return this.#acknowledgedSeq;
  }

  #begin({ node, body }: SimulatedEvent, giveUp: AbortSignal): void {
    const work = this.#submitUntilSettled(node, this.#signed(node, body), giveUp).finally(() => {
      this.#options.population.settled(node, Date.now());
      this.#underWay.delete(work);
    });
    this.#underWay.add(work);
  }

  #signed(node: number, body: EventBody): OwnSignedEvent {
    const key = this.#options.keys[node];
    assert(key !== undefined, 'every node has a key', { node });
    const nowMs = Date.now();
    const seq = Math.max((this.#lastSeq.get(key.peerId) ?? 0) + 1, nowMs);
    this.#lastSeq.set(key.peerId, seq);
    const event = { ...body, peerId: key.peerId, seq, time: Math.floor(nowMs / 1000) } as WrittenEvent;
    return signEvent(key, this.#options.chainId, event);
  }

  async #submitUntilSettled(node: number, event: OwnSignedEvent, giveUp: AbortSignal): Promise<void> {
    this.#submitted++;
    const sentMs = performance.now();
    const outcome = await submitUntilSettled(() => this.#options.submit(node, event), giveUp);
    if (outcome?.kind === 'acknowledged') {
      this.#acknowledged++;
      this.#acknowledgedSeq.set(event.event.peerId, event.event.seq);
      this.latencyMs.add(performance.now() - sentMs);
      this.#options.onAcknowledged?.(event);
    } else if (outcome?.kind === 'refused') {
      const { code } = outcome.refusal;
      this.#refused++;
      this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    }
  }
}
