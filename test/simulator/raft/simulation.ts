/**
 * One seed of a Raft cluster, from the first start to the last check: episodes of storm and calm until enough entries are
 * committed. First safety under all faults, at every step; then, once everything is healed, progress.
 */
import type { Violation } from '../checkers/violation.ts';
import { CALM } from '../network-settings.ts';
import type { Tally } from '../tally.ts';
import { withVirtualGlobals } from '../virtual-globals.ts';
import type { RaftAction, RaftEpisode } from './episode.ts';
import { RaftLiveness } from './liveness.ts';
import { scriptOfSeed, type RaftScenario, type RaftScript } from './scenario.ts';
import { CALL_TIMEOUTS } from './simulated-server.ts';
import { RaftWorld } from './world.ts';

export interface RaftSimulationOptions {
  readonly seed: number;
  readonly servers: number;
  /** Entries to commit, at least, if there is so much in the script. */
  readonly entries: number;
  /** Absent: what the seed makes of it. */
  readonly script?: RaftScript;
  /** Is given every line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface RaftSimulationResult {
  readonly seed: number;
  /** Committed. */
  readonly entries: number;
  readonly virtualMs: number;
  /** Of the whole trace. */
  readonly digest: string;
  readonly tally: Tally;
  readonly violation: Violation | null;
  /** What was played, to play it again. */
  readonly scenario: RaftScenario;
}

/** A storm may be one in which nothing can be committed: after so many, a run is long enough. */
const MOST_EPISODES = 400;

/** Enter it from a macrotask (`fromMacrotask`). */
export function simulateRaft(options: RaftSimulationOptions): RaftSimulationResult {
  const simulation = new Simulation(options);
  const { world } = simulation;
  const onRejection = (error: unknown) => world.threw(error);
  process.on('unhandledRejection', onRejection);
  try {
    return withVirtualGlobals(world.scheduler, () => simulation.run());
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

class Simulation {
  readonly world: RaftWorld;
  readonly #options: RaftSimulationOptions;
  readonly #script: RaftScript;
  readonly #played: RaftEpisode[] = [];
  readonly #liveness: RaftLiveness;

  constructor(options: RaftSimulationOptions) {
    this.#options = options;
    const { seed, servers } = options;
    this.#script = options.script ?? scriptOfSeed(seed, servers);
    this.world = new RaftWorld({ ...options, cast: this.#script.cast });
    this.#liveness = new RaftLiveness(this.world);
  }

  run(): RaftSimulationResult {
    const { world } = this;
    const { entries, seed, servers } = this.#options;
    world.startAll();
    this.#liveness.check();
    while (world.violation === null && world.checkers.commits.highest < entries) {
      const number = this.#played.length;
      const episode = number < MOST_EPISODES ? this.#script.episode(number) : undefined;
      if (episode === undefined) break;
      this.#played.push(episode);
      this.#play(episode);
    }
    this.#end();
    return {
      seed,
      entries: world.checkers.commits.highest,
      virtualMs: world.scheduler.nowMs,
      digest: world.trace.digest(),
      tally: world.tally,
      violation: world.violation,
      scenario: { engine: 'raft', seed, servers, cast: this.#script.cast, episodes: this.#played },
    };
  }

  #play({ actions, stormMs }: RaftEpisode): void {
    const { world } = this;
    const startMs = world.scheduler.nowMs;
    for (const { action, atMs } of actions) {
      world.runUntil(startMs + atMs);
      if (world.violation !== null) return;
      this.#perform(action);
    }
    world.runUntil(startMs + stormMs);
    if (world.violation !== null) return;
    this.#heal();
    this.#liveness.check();
  }

  #perform(action: RaftAction): void {
    if (action.kind !== 'drill') return this.world.perform(action);
    const { world } = this;
    // What an earlier storm left of dead connections and dials is no part of the drill: by then all of it has failed.
    const { thinkMs } = world.clients;
    world.clients.thinkMs = 200;
    world.runUntil(world.scheduler.nowMs + (CALL_TIMEOUTS + 1) * world.cast.timings.electionMs);
    world.clients.thinkMs = thinkMs;
    const leader = world.leader();
    const status = leader?.server?.status();
    if (leader === null || status === undefined) return;
    const { configuration, term } = status;
    const voters = configuration.configuration.servers.filter(({ suffrage }) => suffrage === 'voter').length;
    if (voters < 3) return;
    if (!world.disable(leader, action.drill)) return;
    world.tally.count(`drill: ${action.drill}`);
    this.#liveness.checkAnotherLeader({ id: leader.node.serverId, term });
  }

  #heal(): void {
    const { world } = this;
    world.operator.giveUp();
    world.network.change(CALM);
    for (const { clock, id, life } of world.nodes) {
      clock.setRate(1);
      if (life !== null) life.effectsLeft = null;
      world.mend(id);
    }
    world.clients.thinkMs = 50;
  }

  #end(): void {
    const { world } = this;
    if (world.violation !== null) return;
    world.clients.thinkMs = Infinity;
    this.#liveness.checkRest();
    world.tally.count('client: writes acknowledged', world.clients.written);
    world.tally.count('client: reads answered', world.clients.read);
  }
}
