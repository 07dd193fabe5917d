/** Hostile nodes beside the population: they submit forgeries, one after another, and count what became of each. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../base/random.ts';
import { generateIdentityKey, type IdentityKey } from '../../node/keys.ts';
import type { OwnSignedEvent } from '../../node/sign-event.ts';
import { forge, FORGERIES, type Forgery, type ForgeryKind } from './forgery.ts';
import { isFinal, type Outcome } from './settle.ts';

const DEFAULT_PAUSE_MS = 1_000;
/** An event is replayed once every validator has had the time to hear of its successor. */
const REPLAY_AFTER_MS = 10_000;
const REPLAYED_MAX = 256;
/** A connection of its own each. */
const ADVERSARIES_MAX = 16;

export interface AdversaryCounts {
  readonly adversaries: number;
  /** Answered for good. */
  readonly attempts: number;
  readonly refused: number;
  readonly refusedBy: Readonly<Record<string, number>>;
  /** Replays that were answered as the first time: the same event, so nothing changes. */
  readonly answeredAsBefore: number;
  /** Forgeries that were acknowledged: there must be none. */
  readonly accepted: readonly ForgeryKind[];
}

export interface AdversariesOptions {
  readonly chainId: string;
  readonly keys: readonly IdentityKey[];
  readonly victims: readonly string[];
  readonly random: Random;
  /** Each adversary tries once in this time. */
  readonly pauseMs?: number;
  /** Never rejects. @param adversary position in `keys` */
  readonly submit: (adversary: number, forgery: Forgery) => Promise<Outcome>;
}

/** New ones at each start, as nobody knows them. */
export function adversaryKeys(share: number, nodes: number): IdentityKey[] {
  const count = share === 0 ? 0 : Math.min(ADVERSARIES_MAX, Math.max(1, Math.round(share * nodes)));
  return Array.from({ length: count }, (_, index) => generateIdentityKey(index % 2 === 0 ? 'ed25519' : 'secp256k1'));
}

export class Adversaries {
  readonly #options: AdversariesOptions;
  readonly #newest = new Map<string, OwnSignedEvent>();
  #superseded: { readonly event: OwnSignedEvent; readonly atMs: number }[] = [];
  readonly #refusals = new Map<string, number>();
  readonly #accepted: ForgeryKind[] = [];
  #answeredAsBefore = 0;
  #attempts = 0;

  constructor(options: AdversariesOptions) {
    this.#options = options;
  }

  /** An honest event, to be replayed when a later one of its node has followed it. */
  overhear(event: OwnSignedEvent, nowMs: number): void {
    const { peerId } = event.event;
    const before = this.#newest.get(peerId);
    this.#newest.set(peerId, event);
    if (before === undefined) return;
    this.#superseded.push({ event: before, atMs: nowMs });
    if (this.#superseded.length > REPLAYED_MAX) this.#superseded.shift();
  }

  /** Until the signal aborts; an attempt under way is given up. */
  async run(signal: AbortSignal): Promise<void> {
    const attempts = this.#options.keys.map((_, adversary) => this.#tryAll(adversary, signal));
    await Promise.race([Promise.all(attempts), aborted(signal)]);
  }

  counts(): AdversaryCounts {
    const refused = [...this.#refusals.values()].reduce((sum, count) => sum + count, 0);
    return {
      adversaries: this.#options.keys.length,
      attempts: this.#attempts,
      refused,
      refusedBy: Object.fromEntries(this.#refusals),
      answeredAsBefore: this.#answeredAsBefore,
      accepted: [...this.#accepted],
    };
  }

  async #tryAll(adversary: number, signal: AbortSignal): Promise<void> {
    const { pauseMs = DEFAULT_PAUSE_MS } = this.#options;
    // They start at different forgeries, so that a short run sees most of them.
    for (let turn = adversary * 3; ; turn++) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const forgery = this.#forged(FORGERIES[turn % FORGERIES.length] as ForgeryKind, adversary);
      if (forgery === undefined) continue;
      this.#count(forgery.kind, await this.#options.submit(adversary, forgery));
    }
  }

  #forged(kind: ForgeryKind, adversary: number): Forgery | undefined {
    const { chainId, keys, random, victims } = this.#options;
    const nowMs = Date.now();
    const old = this.#superseded.filter(({ atMs }) => nowMs - atMs >= REPLAY_AFTER_MS);
    const superseded = old.length === 0 ? undefined : random.pick(old).event;
    return forge(kind, {
      chainId,
      key: keys[adversary] as IdentityKey,
      victim: random.pick(victims),
      superseded,
      nowMs,
    });
  }

  #count(kind: ForgeryKind, outcome: Outcome): void {
    if (!isFinal(outcome)) return;
    this.#attempts++;
    if (outcome.kind === 'refused') {
      const { code } = outcome.refusal;
      this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    } else if (kind === 'replay') this.#answeredAsBefore++;
    else this.#accepted.push(kind);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
