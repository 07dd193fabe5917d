/** A scenario for a reader: one line for each node, and one for each thing that is done to them: when, to whom, what. */
import { AMPLE } from './cast.ts';
import type { Action, Episode, MachineAction } from './episode.ts';
import { CALM, type KindRule, type NetworkSettings } from './network-settings.ts';
import type { Scenario } from './scenario.ts';
import type { FlipIn } from './simulated-disk.ts';

export function linesOf(scenario: Scenario): string[] {
  const { about, cast, commitDepth, episodes, seed, validators } = scenario;
  return [
    ...(about === undefined ? [] : [about]),
    `seed ${seed}: ${validators} validators, commit depth ${commitDepth}, submitters: ${cast.submitters}`,
    ...(cast.operators === true ? ['validators propose and approve actions'] : []),
    ...limitLines(scenario),
    ...nodeLines(scenario),
    ...episodes.flatMap((episode) => episodeLines(episode, (action) => [whoOf(action), whatOf(action)])),
  ];
}

function limitLines({ cast: { limits } }: Scenario): string[] {
  if (JSON.stringify(limits) === JSON.stringify(AMPLE)) return [];
  const { inboxMessages, mempoolEvents, waitingSubmissions } = limits;
  return [`queues: ${mempoolEvents} events, ${inboxMessages} messages, ${waitingSubmissions} submissions`];
}

function nodeLines({ cast: { adversaries, twins }, validators }: Scenario): string[] {
  const lines = Array.from({ length: validators }, (_, index) => {
    const kind = adversaries.find((traitor) => traitor.index === index)?.kind;
    const twin = twins.indexOf(index);
    return `node ${index}: ${twin >= 0 ? `has a twin, node ${validators + twin}` : (kind ?? 'correct')}`;
  });
  return [...lines, ...twins.map((index, place) => `node ${validators + place}: twin of node ${index}`)];
}

/** @param told to whom it is done, and what */
export function episodeLines<A>(
  { actions, number, stormMs }: Episode<A>,
  told: (action: A) => readonly [who: string, what: string],
): string[] {
  return [
    `episode ${number}: ${stormMs} ms of storm, then all heals`,
    ...actions.map(({ action, atMs }) => {
      const [who, what] = told(action);
      return `  at ${`${atMs} ms`.padEnd(9)} ${who.padEnd(8)} ${what}`;
    }),
  ];
}

function whoOf(action: Action): string {
  if (action.kind === 'network') return 'network';
  return 'node' in action ? `node ${action.node}` : 'all';
}

function whatOf(action: Action): string {
  switch (action.kind) {
    case 'network':
      return weatherOf(action.settings);
    case 'load':
      return action.thinkMs === null ? 'submit nothing more' : `submit an event, then think for ${action.thinkMs} ms`;
    case 'clocks':
      return `their clocks are set ${action.skewMs} ms off`;
    case 'clock':
      return `its clock is set ${action.skewMs} ms off and runs at ${action.rate}`;
    case 'flip':
      return FLIPS[action.in](`${action.table}, place ${action.place}`);
    case 'crash':
    case 'disk':
      return machineFaultOf(action);
  }
}

export function machineFaultOf(action: MachineAction): string {
  if (action.kind === 'disk') return `its disk is ${action.mode} for ${action.forMs} ms`;
  const { atEffect, downMs, how } = action;
  if (atEffect !== null) return `${CRASHES[how]} before effect ${atEffect} from now, up ${downMs + 50} ms from now`;
  return `${CRASHES[how]}, down for ${downMs} ms`;
}

const FLIPS: Readonly<Record<FlipIn, (where: string) => string>> = {
  log: () => 'a bit of its log flips: it cannot be opened again',
  value: (where) => `a bit of a value flips on its disk (table ${where})`,
  key: (where) => `a bit of a key flips on its disk (table ${where})`,
  block: (where) => `a bit flips on its disk, by which a value cannot be read (table ${where})`,
  older: (where) => `a bit flips on its disk, by which an older value is back (table ${where})`,
};

const CRASHES = {
  process: 'its process ends',
  power: 'loses power',
  disk: 'loses power and its disk',
} as const;

export function weatherOf<K extends string>(settings: NetworkSettings<K>): string {
  const { cuts, cutsBreakLinks, delayMs, duplication, hangMs, inOrder, late, loss, rules } = settings;
  const parts = [
    ...(String(delayMs) === String(CALM.delayMs) ? [] : [`delay ${delayMs.join(' to ')} ms`]),
    ...(late.chance === 0 ? [] : [`late by up to ${late.mostMs} ms ${late.chance}`]),
    ...(loss === 0 ? [] : [`lost ${loss}`]),
    ...(duplication === 0 ? [] : [`doubled ${duplication}`]),
    ...(inOrder ? [] : ['out of order']),
    ...cuts.map(({ from, to }) => `cut ${passage(from, to)}`),
    ...(cutsBreakLinks ? ['cuts break links'] : []),
    ...rules.map(ruleOf),
    ...(hangMs === undefined ? [] : [`exchanges without an answer hang for ${hangMs} ms`]),
  ];
  return parts.length === 0 ? 'calm' : parts.join('; ');
}

function ruleOf({ every, extraMs, from, kind, loss, phase, to }: KindRule<string>): string {
  const rounds = every === 1 ? '' : ` of rounds ${phase} modulo ${every}`;
  return `${kind}${rounds} ${passage(from, to)} ${extraMs > 0 ? `later by ${extraMs} ms` : `lost ${loss}`}`;
}

function passage(from: readonly number[], to: readonly number[]): string {
  return `${from.join(',')}>${to.join(',')}`;
}
