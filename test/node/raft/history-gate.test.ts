/** When a server that was found by a leader of another history obeys nobody, and how long. */
import { beforeEach, expect, test } from 'vitest';
import { refuse, type Refusal } from '../../../src/base/result.ts';
import { Asks } from '../../../src/node/raft/asks.ts';
import { HistoryGate } from '../../../src/node/raft/history-gate.ts';
import { historyOf } from '../../../src/raft/history.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { command, commands } from './entries.ts';

const FIRST: Entry = { ...command(1, 1, 'servers'), type: ENTRY_TYPES.configuration };
const OWN = [FIRST, ...commands(2, 5)];
const RECENT_MS = 1000;

let nowMs: number;
let leads: boolean;
let isAlone: boolean;
/** What the engine was told, `null` for "leaders are obeyed again". */
let told: (string | null)[];
let gate: HistoryGate;

beforeEach(() => {
  nowMs = 0;
  leads = false;
  isAlone = false;
  told = [];
  const refused = (_from: string, refusal: Refusal) => gate.refused(refusal);
  gate = new HistoryGate({
    record: historyOf(FIRST, [], true),
    pinned: null,
    facts: {
      entry: (index) => OWN[index - 1],
      lastIndex: () => OWN.length,
      commitIndex: () => OWN.length,
      isConfigured: () => true,
      serversOf: () => [],
    },
    asks: new Asks(),
    nowMs: () => nowMs,
    recentMs: RECENT_MS,
    leads: () => leads,
    isAlone: () => isAlone,
    write: () => undefined,
    refused,
    foreign: (refusal) => told.push(refusal?.code ?? null),
  });
});

/** A leader shows its last entry, the fifth. */
function shows(from: string, text: string): boolean {
  const entries = [command(5, 1, text)];
  const header = { protocolVersion: 3, sender: { id: from, address: from }, term: 2, leader: from } as const;
  const request = { kind: 'appendEntries', ...header, prevIndex: 4, prevTerm: 1, entries, commitIndex: 0 } as const;
  return gate.passes({ kind: 'asked', ask: 1, from, isListed: true, request });
}

const foreignComes = () => shows('x', 'of another');
const ownComes = () => shows('b', 'command 5');

test('from a leader of another history on nobody is obeyed, however long that one is silent', () => {
  expect(foreignComes()).toBe(false);
  expect(told).toEqual(['raft-foreign-history']);
  nowMs += 100 * RECENT_MS;
  expect(gate.foreign?.code).toBe('raft-foreign-history');
  foreignComes();
  expect(told).toHaveLength(1);
});

test('until a leader shows this history', () => {
  foreignComes();
  expect(ownComes()).toBe(true);
  expect(told).toEqual(['raft-foreign-history', null]);
  expect(gate.foreign).toBeNull();
});

test('or this server leads', () => {
  foreignComes();
  gate.led();
  expect(told).toEqual(['raft-foreign-history', null]);
});

test('who leads, or heard its own leader a moment ago, only refuses', () => {
  leads = true;
  expect(foreignComes()).toBe(false);
  leads = false;
  nowMs += 10 * RECENT_MS;
  ownComes();
  nowMs += RECENT_MS - 1;
  expect(foreignComes()).toBe(false);
  expect([told, gate.foreign]).toEqual([[], null]);
  nowMs += 1;
  foreignComes();
  expect(told).toEqual(['raft-foreign-history']);
});

test('who is the only voter and leads tells of it while it goes on', () => {
  [leads, isAlone] = [true, true];
  foreignComes();
  expect(gate.foreign?.code).toBe('raft-foreign-history');
  nowMs += RECENT_MS;
  expect(gate.foreign).toBeNull();
  expect(told).toEqual([]);
});

test('what contradicts a committed entry stays, whoever shows this history', () => {
  gate.refused(refuse('raft-conflict-below-commit', 'two histories').refusal);
  ownComes();
  gate.led();
  expect(gate.foreign?.code).toBe('raft-conflict-below-commit');
  expect(told).toEqual([]);
});
