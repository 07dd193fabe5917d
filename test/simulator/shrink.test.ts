import { describe, expect, test } from 'vitest';
import { ADVERSARIES } from './adversaries.ts';
import { castOf } from './cast.ts';
import type { Violation } from './checkers/violation.ts';
import { episodeOf, type Action } from './episode.ts';
import { CALM } from './network-settings.ts';
import { linesOf } from './readable.ts';
import type { Scenario } from './scenario.ts';
import { shrinkScenario } from './shrink.ts';
import type { SimulationResult } from './simulation.ts';
import { smallerScenarios } from './smaller.ts';
import { Tally } from './tally.ts';

const FAILED: Violation = { checker: 'fake', message: 'nothing is wrong', details: {} };

/** As seed 7 makes them, with a twin, and traitors of each kind. */
function stormy(): Scenario {
  const validators = 7;
  const adversaries = ADVERSARIES.map((kind, place) => ({ index: place % 5, kind }));
  const cast = { ...castOf(7, validators), submitters: 8, twins: [5, 6], adversaries };
  const episodes = Array.from({ length: 12 }, (_, number) => episodeOf(7, number, 9, cast));
  return { seed: 7, validators, commitDepth: 2, cast, episodes };
}

/** Plays nothing: fails by `FAILED` when it is so. */
function shrunkBy(fails: (scenario: Scenario) => boolean, scenario = stormy(), most = Infinity) {
  const play = (candidate: Scenario): Promise<SimulationResult> =>
    Promise.resolve({
      seed: 7,
      rounds: 0,
      height: 0,
      virtualMs: 0,
      digest: '',
      tally: new Tally(),
      violation: fails(candidate) ? FAILED : null,
      scenario: candidate,
    });
  return shrinkScenario(scenario, FAILED, { play, smaller: smallerScenarios, mayTry: (tried) => tried < most });
}

function actionsOf({ episodes }: Scenario): Action[] {
  return episodes.flatMap(({ actions }) => actions.map(({ action }) => action));
}

describe('a scenario shrinks', () => {
  test('to nothing, when it fails by itself', async () => {
    const { isMinimal, scenario } = await shrunkBy(() => true);
    expect(isMinimal).toBe(true);
    expect(scenario).toMatchObject({ episodes: [], cast: { submitters: 1, twins: [], adversaries: [] } });
    expect(linesOf(scenario)).toEqual([
      'seed 7: 7 validators, commit depth 2, submitters: 1',
      ...Array.from({ length: 7 }, (_, index) => `node ${index}: correct`),
    ]);
  });

  test('to the one crash that it takes, as mild as it still fails', async () => {
    const needed = (action: Action) => action.kind === 'crash' && action.how === 'power' && action.downMs >= 10;
    const { scenario } = await shrunkBy((candidate) => actionsOf(candidate).some(needed));
    expect(scenario.episodes).toHaveLength(1);
    const [action] = actionsOf(scenario);
    expect(action).toMatchObject({ kind: 'crash', how: 'power', atEffect: null });
    expect(action?.kind === 'crash' && action.downMs).toBeLessThan(20);
    expect(scenario.episodes[0]?.stormMs).toBe(0);
  });

  test('to the traitor and the rule of the network that it takes', async () => {
    const { scenario } = await shrunkBy(
      (candidate) =>
        candidate.cast.adversaries.some(({ kind }) => kind === 'forger') &&
        actionsOf(candidate).some(
          (action) =>
            action.kind === 'network' &&
            action.settings.rules.some(({ from, kind }) => kind === 'vote' && from.includes(2)),
        ),
    );
    expect(scenario.cast.adversaries.map(({ kind }) => kind)).toEqual(['forger']);
    const [action, ...others] = actionsOf(scenario);
    expect(others).toEqual([]);
    expect(action).toMatchObject({
      settings: { loss: 0, duplication: 0, inOrder: true, cuts: [], rules: [{ kind: 'vote', from: [2], to: [] }] },
    });
  });

  test('to the one flipped bit that it takes, in the first place where it still fails', async () => {
    const flip = (place: number): Action => ({ kind: 'flip', node: 3, in: 'value', table: 'M', place });
    const actions = [7, 4_000_000_000].map((place) => ({ atMs: 2, action: flip(place) }));
    const whole = { ...stormy(), episodes: [{ number: 0, stormMs: 10, actions }] };
    const needed = (action: Action) => action.kind === 'flip' && action.place >= 3;
    const { scenario } = await shrunkBy((candidate) => actionsOf(candidate).some(needed), whole);
    expect(actionsOf(scenario)).toEqual([flip(3)]);
    expect(linesOf(scenario).at(-1)).toBe(
      '  at 0 ms      node 3   a bit of a value flips on its disk (table M, place 3)',
    );
  });

  test('without a twin, what is meant for the other one still is', async () => {
    const lost: Action = { kind: 'crash', node: 8, how: 'disk', atEffect: null, downMs: 5 };
    const cut: Action = {
      kind: 'network',
      settings: { ...CALM, cuts: [{ from: [0, 7, 8], to: [7] }] },
    };
    const actions = [
      { atMs: 3, action: lost },
      { atMs: 4, action: { ...lost, node: 7 } },
      { atMs: 5, action: cut },
    ];
    const scenario = { ...stormy(), episodes: [{ number: 0, stormMs: 10, actions }] };
    const [withoutFirst] = [...smallerScenarios(scenario)].filter(({ cast }) => String(cast.twins) === '6');
    expect(actionsOf(withoutFirst!)).toEqual([
      { ...lost, node: 7 },
      { ...cut, settings: { ...CALM, cuts: [{ from: [0, 7], to: [] }] } },
    ]);
  });

  test('within its bound of candidates, to the same every time', async () => {
    const needed = (action: Action) => action.kind === 'clock';
    const run = () => shrunkBy((candidate) => actionsOf(candidate).filter(needed).length > 1, stormy(), 25);
    const first = await run();
    expect(first).toMatchObject({ tried: 25, isMinimal: false });
    expect(await run()).toEqual(first);
  });

  test('not to one that fails by something else, or that the simulator cannot play', async () => {
    const whole = stormy();
    const throwing = await shrunkBy((candidate) => {
      if (candidate.episodes.length < 12) throw new Error('a hole in the simulator');
      return candidate.cast.adversaries.length > 0;
    }, whole);
    expect(throwing.scenario.episodes).toHaveLength(12);
  });
});

test('every smaller version of a scenario can be played', async () => {
  const versions = [...smallerScenarios(stormy())];
  expect(versions.length).toBeGreaterThan(300);
  for (const { cast, episodes, validators } of versions) {
    expect(cast.submitters).toBeGreaterThan(0);
    const nodes = validators + cast.twins.length;
    for (const { actions, stormMs } of episodes) {
      const times = actions.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(stormMs).toBeGreaterThanOrEqual(times.at(-1) ?? 0);
      for (const { action } of actions) if ('node' in action) expect(action.node).toBeLessThan(nodes);
    }
  }
});
