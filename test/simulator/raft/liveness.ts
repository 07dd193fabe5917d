/**
 * Once everything is healed there is progress: within a stated time a write that began after that is acknowledged, every
 * server of the configuration in force that runs has applied all that is committed, and one leads.
 */
import { TIMEOUTS_TO_ANOTHER_LEADER, type RaftWorld } from './world.ts';

/** Connections that went dead are noticed by a deadline of ten seconds, a snapshot's may be longer; then elections. */
export const MS_TO_PROGRESS = 60_000;
/** Nobody begins anything: all that is under way ends. */
const MS_TO_REST = 60_000;
/** Looking at every server costs more than a step. */
const LOOK_EVERY_STEPS = 16;

export class RaftLiveness {
  readonly #world: RaftWorld;

  constructor(world: RaftWorld) {
    this.#world = world;
  }

  /** Everything was healed at this moment. */
  check(): void {
    const { clients, scheduler, tally } = this.#world;
    const startMs = scheduler.nowMs;
    const target = clients.written + 2;
    const isDone = () => clients.written >= target && scheduler.steps % LOOK_EVERY_STEPS === 0 && this.#isTogether();
    this.#world.runUntil(startMs + MS_TO_PROGRESS, isDone);
    if (this.#world.violation !== null) return;
    if (clients.written < target || !this.#isTogether()) {
      this.#failed('a healed cluster makes progress', { written: clients.written, target });
    }
    tally.count('healings with progress');
    const seconds = Math.ceil((scheduler.nowMs - startMs) / 10_000) * 10;
    tally.count(`healings with progress within ${String(seconds).padStart(2)} s`);
  }

  /** Nobody begins anything any more: all apply everything, and nothing is left to be done. */
  checkRest(): void {
    const { scheduler } = this.#world;
    this.#world.runUntil(scheduler.nowMs + MS_TO_REST, () => {
      return scheduler.steps % LOOK_EVERY_STEPS === 0 && this.#isAtRest();
    });
    if (this.#world.violation !== null || this.#isAtRest()) return;
    this.#failed('a cluster that is left alone comes to rest', {});
  }

  /** The leader is out of action from this moment: another one leads, of a later term. */
  checkAnotherLeader(before: { readonly id: string; readonly term: number }): void {
    const { cast, scheduler, tally } = this.#world;
    const startMs = scheduler.nowMs;
    const isDone = () => {
      const leader = this.#world.leader();
      const term = leader?.server?.status().term ?? 0;
      return leader !== null && leader.node.serverId !== before.id && term > before.term;
    };
    const limitMs = TIMEOUTS_TO_ANOTHER_LEADER * cast.timings.electionMs;
    this.#world.runUntil(startMs + limitMs, () => scheduler.steps % LOOK_EVERY_STEPS === 0 && isDone());
    if (this.#world.violation !== null) return;
    if (!isDone()) this.#failed('a leader that is out of action is followed by another', { limitMs, ...before });
    const timeouts = Math.ceil((scheduler.nowMs - startMs) / cast.timings.electionMs);
    tally.count(`another leader within ${String(timeouts).padStart(2)} election timeouts`);
  }

  #isTogether(): boolean {
    const status = this.#world.leader()?.server?.status();
    if (status === undefined) return false;
    const { configuration, commitIndex } = status;
    return configuration.configuration.servers.every(({ id }) => {
      const server = this.#world.nodes.find(({ serverId }) => serverId === id)?.life?.server;
      const other = server?.status();
      // What is committed meanwhile is on its way.
      return other !== undefined && other.term === status.term && other.appliedIndex >= commitIndex - 64;
    });
  }

  #isAtRest(): boolean {
    const status = this.#world.leader()?.server?.status();
    if (status === undefined || !this.#isTogether()) return false;
    const { commitIndex, configuration, lastIndex } = status;
    if (commitIndex !== lastIndex) return false;
    return configuration.configuration.servers.every(({ id }) => {
      const life = this.#world.nodes.find(({ serverId }) => serverId === id)?.life;
      const other = life?.server?.status();
      return other?.appliedIndex === lastIndex && life?.store.writing.length === 0;
    });
  }

  #failed(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#world.violate({ checker: 'liveness', message, details: { ...details, nodes: this.#describe() } });
  }

  #describe(): string {
    return this.#world.nodes
      .map(({ id, isRetired, life }) => {
        const status = life?.server?.status();
        if (status === undefined) return `${id} ${isRetired ? 'retired' : 'down'}`;
        const { appliedIndex, commitIndex, configuration, durableIndex, lastIndex, role, term } = status;
        const servers = configuration.configuration.servers.map(
          (server) => `${server.suffrage[0]}${server.id.slice(-2)}`,
        );
        return `${id} ${role} term ${term} last ${lastIndex} durable ${durableIndex} committed ${commitIndex} applied ${appliedIndex} [${servers.join(' ')}]`;
      })
      .join('; ');
  }
}
