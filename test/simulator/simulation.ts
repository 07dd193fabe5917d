/**
 * One seed, from the first start to the last check: episodes of storm and calm until enough rounds have passed. First
 * safety under all faults, at every step; then, once a quorum of correct nodes is healed, progress.
 */
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { adversary } from './adversaries.ts';
import { LivenessChecker } from './checkers/liveness.ts';
import type { Violation } from './checkers/violation.ts';
import { seedOf } from './dice.ts';
import type { Action, Episode } from './episode.ts';
import { CALM } from './network-settings.ts';
import { scriptOfSeed, type Scenario, type Script } from './scenario.ts';
import type { Tally } from './tally.ts';
import { keepTwinsTalking } from './twins.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly validators: number;
  readonly commitDepth: 2 | 3;
  /** Rounds to simulate, at least, if there is so much in the script. */
  readonly rounds: number;
  /** Absent: what the seed makes of it. */
  readonly script?: Script;
  readonly scheme?: SignatureScheme;
  /** Is given every line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly rounds: number;
  readonly height: number;
  readonly virtualMs: number;
  /** Of the whole trace. */
  readonly digest: string;
  readonly tally: Tally;
  readonly violation: Violation | null;
  /** What was played, to play it again. */
  readonly scenario: Scenario;
}

/** Events that are made now are no older than a block of then may take (`MAX_EVENT_AGE_SECONDS`), and some. */
const MAX_STEP_WITH_PROGRESS_MS = 400_000;
/** Rounds between two replays of everything. */
const REPLAY_EVERY_ROUNDS = 1_000;

/** Enter it from a macrotask (`fromMacrotask`). */
export function simulate(options: SimulationOptions): SimulationResult {
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
  readonly world: World;
  readonly #options: SimulationOptions;
  readonly #script: Script;
  readonly #played: Episode[] = [];
  readonly #liveness: LivenessChecker;
  #replayedRounds = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { seed, validators } = options;
    this.#script = options.script ?? scriptOfSeed(seed, validators);
    const { adversaries, limits, operators = false, submitters, twins } = this.#script.cast;
    this.world = new World({ ...options, limits, submitters, operators, twins });
    this.#liveness = new LivenessChecker(this.world);
    for (const { index, kind } of adversaries) {
      this.world.faulty.add(index);
      this.world.adversaries.set(index, adversary(kind, this.world.toolsOf(index, seedOf(seed, 2, index))));
      this.world.tally.count(`adversary: ${kind}`);
    }
    this.world.tally.count('adversary: twins', twins.length);
  }

  run(): SimulationResult {
    const { world } = this;
    const { commitDepth, rounds, seed, validators } = this.#options;
    world.startAll();
    world.submitters.start();
    keepTwinsTalking(world);
    while (world.violation === null && world.rounds < rounds) {
      const episode = this.#script.episode(this.#played.length);
      if (episode === undefined) break;
      this.#played.push(episode);
      this.#play(episode);
    }
    this.#end();
    for (const { action } of world.checkers.chain.actions.decided) world.tally.count(`action decided: ${action.kind}`);
    return {
      seed,
      rounds: world.rounds,
      height: world.checkers.chain.height,
      virtualMs: world.scheduler.nowMs,
      digest: world.trace.digest(),
      tally: world.tally,
      violation: world.violation,
      scenario: { seed, validators, commitDepth, cast: this.#script.cast, episodes: this.#played },
    };
  }

  #play({ actions, stormMs }: Episode): void {
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
    if (world.violation !== null) return;
    this.#liveness.check();
    if (world.rounds >= this.#replayedRounds + REPLAY_EVERY_ROUNDS) this.#replay();
  }

  #perform(action: Action): void {
    const { world } = this;
    const { tally } = world;
    switch (action.kind) {
      case 'network':
        tally.count('network: changed');
        return world.network.change(action.settings);
      case 'load':
        world.submitters.thinkMs = action.thinkMs ?? Infinity;
        return;
      case 'clocks':
        tally.count('clock: all set back');
        return this.#setClocks(action.skewMs);
      case 'clock': {
        tally.count(Math.abs(action.skewMs) > 5_000 ? 'clock: set far off' : 'clock: set a little off');
        return world.node(action.node).clock.set(world.submitters.skewMs + action.skewMs, action.rate);
      }
      case 'disk':
      case 'crash':
        return world.performOn(action);
      case 'flip':
        return world.flip(action.node, action);
    }
  }

  /** All but the clocks, if all of them are off; then the clocks as well. */
  #heal(): void {
    const { world } = this;
    const { submitters } = world;
    world.network.change(CALM);
    this.#setClocks(submitters.skewMs);
    for (const { id, life } of world.nodes) {
      if (life !== null) life.effectsLeft = null;
      world.mend(id);
    }
    // The chain's time stands still. An event that is too old for it is refused: what is under way goes on, nothing new.
    if (-submitters.skewMs > MAX_STEP_WITH_PROGRESS_MS) submitters.thinkMs = Infinity;
    if (submitters.thinkMs === Infinity) this.#liveness.checkRest(false);
    submitters.thinkMs = 5;
    if (world.violation !== null || submitters.skewMs === 0) return;
    if (-submitters.skewMs <= MAX_STEP_WITH_PROGRESS_MS) this.#liveness.check();
    this.#setClocks(0);
  }

  #setClocks(skewMs: number): void {
    const { nodes, submitters } = this.world;
    submitters.skewMs = skewMs;
    for (const { id, clock } of nodes) clock.set(skewMs + (id % 3), 1);
  }

  #end(): void {
    const { world } = this;
    if (world.violation !== null) return;
    world.submitters.thinkMs = Infinity;
    this.#liveness.checkRest(true);
    if (world.violation === null) this.#replay();
  }

  #replay(): void {
    const { world } = this;
    this.#replayedRounds = world.rounds;
    world.checkers.replay(world.nodes.flatMap(({ life }) => life ?? []));
    world.tally.count('replays of everything');
  }
}
