/**
 * Once a quorum of correct nodes is healed, there is progress: within so many rounds and so long a new block is
 * committed by every correct node, and each of them signs; and once nobody submits anything more, all come to rest at the same head, with
 * everything that was submitted answered.
 */
import type { World } from '../world.ts';

/** Rounds of f faulty leaders, one after the other and again, and what is left of the storm. */
export const ROUNDS_TO_PROGRESS = (validators: number): number => 20 + 6 * validators;
/** Two of the longest timers (60 s), after which all are in one round, and some. */
export const MS_TO_PROGRESS = 300_000;
/** From the first node that has got there to the last one, beside as many rounds: of 360 healings none took 2 s, or 2 rounds. */
const MS_TO_FOLLOW = 60_000;
const MS_TO_REST = 600_000;
/** Looking at every node costs more than a step. */
const LOOK_EVERY_STEPS = 16;

export class LivenessChecker {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Everything was healed at this moment. */
  check(): void {
    const { checkers, nodes, scheduler, tally } = this.#world;
    const startMs = scheduler.nowMs;
    const startRounds = checkers.rounds;
    const target = checkers.chain.height + 2;
    const allowedRounds = ROUNDS_TO_PROGRESS(nodes.length);
    let slow = false;
    let first: { readonly rounds: number; readonly ms: number } | null = null;
    this.#world.runUntil(startMs + MS_TO_PROGRESS, () => {
      if (checkers.chain.height >= target) first ??= { rounds: checkers.rounds, ms: scheduler.nowMs };
      slow = checkers.rounds > (first?.rounds ?? startRounds) + allowedRounds;
      if (first !== null && scheduler.nowMs > first.ms + MS_TO_FOLLOW) slow = true;
      return (first !== null && this.#correctHeight() >= target) || slow;
    });
    if (this.#world.violation !== null) return;
    const height = this.#correctHeight();
    if (height < target) {
      const details = {
        height,
        target,
        rounds: checkers.rounds - startRounds,
        allowedRounds,
        afterMs: Math.round(scheduler.nowMs - startMs),
        nodes: this.#describe(),
      };
      return this.#world.violate({ checker: 'liveness', message: 'a healed network makes progress', details });
    }
    const endRounds = checkers.rounds + allowedRounds;
    this.#world.runUntil(startMs + MS_TO_PROGRESS, () => checkers.rounds > endRounds || this.#silent() === null);
    if (this.#world.violation !== null) return;
    const silent = this.#silent();
    if (silent !== null) {
      const details = { ...silent, nodes: this.#describe() };
      return this.#world.violate({ checker: 'liveness', message: 'a healed validator signs', details });
    }
    tally.count('healings with progress');
  }

  /**
   * Nobody submits anything new.
   *
   * @param allKnow whether none may stay behind: one that missed all of the last rounds, on links that never broke, has
   *   nothing to do and is told by nobody before there is another block (but by gossip, which is not simulated)
   */
  checkRest(allKnow: boolean): void {
    const { nodes, scheduler, submitters } = this.#world;
    const startMs = scheduler.nowMs;
    const isAtRest = () => submitters.inFlight === 0 && this.#isIdle(allKnow);
    this.#world.runUntil(startMs + MS_TO_REST, () => scheduler.steps % LOOK_EVERY_STEPS === 0 && isAtRest());
    if (this.#world.violation !== null || isAtRest()) return;
    const details = { inFlight: submitters.inFlight, validators: nodes.length, nodes: this.#describe() };
    this.#world.violate({ checker: 'liveness', message: 'a network that is left alone comes to rest', details });
  }

  /** The least of the correct nodes; -1 while one of them is down. */
  #correctHeight(): number {
    let least = Infinity;
    for (const { id, life } of this.#world.nodes) {
      if (this.#world.faulty.has(id)) continue;
      least = Math.min(least, life?.consensus?.status().height ?? -1);
    }
    return least;
  }

  /** A correct node that signs nothing: after a start none does until a quorum has told it what they hold of it. */
  #silent(): { readonly id: number; readonly because: string } | null {
    for (const { id, life } of this.#world.nodes) {
      if (this.#world.faulty.has(id)) continue;
      const because = life?.consensus?.status().silentBecause;
      if (because !== null) return { id, because: because ?? 'it is down' };
    }
    return null;
  }

  #isIdle(atOneHead: boolean): boolean {
    const heads = new Set<string>();
    for (const { id, life } of this.#world.nodes) {
      if (this.#world.faulty.has(id)) continue;
      const status = life?.consensus?.status();
      if (status?.idle !== true || life?.store.writing.length !== 0) return false;
      if (life.projector?.status().some(({ height }) => height !== status.height) !== false) return false;
      heads.add(status.headId);
    }
    return heads.size === 1 || !atOneHead;
  }

  #describe(): string {
    return this.#world.nodes
      .map(({ id, life }) => {
        const status = life?.consensus?.status();
        if (status === undefined) return `${id} down`;
        const { height, highCertificateRound, idle, lockedRound, mempoolEvents, round, silentBecause } = status;
        const flags = `${idle ? ' idle' : ''}${silentBecause === null ? '' : ' silent'}`;
        return `${id} height ${height} round ${round} certificate ${highCertificateRound} lock ${lockedRound} mempool ${mempoolEvents}${flags}`;
      })
      .join('; ');
  }
}
