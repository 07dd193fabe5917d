import { expect, test } from 'vitest';
import { Members } from '../../../src/node/raft/members.ts';
import type { LoggedConfiguration } from '../../../src/raft/messages.ts';

const logged = (index: number, ...ids: readonly string[]): LoggedConfiguration => ({
  index,
  configuration: { servers: ids.map((id) => ({ id, address: `${id}:1`, suffrage: 'voter' })) },
});
const idsOf = (members: Members) => members.known.map(({ id }) => id);

test('who goes has a say until that is committed, and so has whoever leads', () => {
  const members = new Members([logged(1, 'a', 'b')]);
  members.configurationChanged(logged(5, 'b', 'c'), false);
  expect(idsOf(members)).toEqual(['b', 'c', 'a']);
  members.leaderChanged({ id: 'd', address: 'd:1' });
  expect(idsOf(members)).toEqual(['b', 'c', 'a', 'd']);
  expect([members.isConfigured('a'), members.isConfigured('d')]).toEqual([true, false]);
  members.configurationChanged(logged(5, 'b', 'c'), true);
  members.leaderChanged({ id: 'b', address: 'b:1' });
  expect(idsOf(members)).toEqual(['b', 'c']);
});

test('what a leader commits is shared when another one has a vote', () => {
  const members = new Members([logged(1, 'a')]);
  members.leaderChanged({ id: 'a', address: 'a:1' });
  expect(members.sharesWhatItCommits('a')).toBe(false);
  members.configurationChanged(logged(2, 'a', 'b'), true);
  expect([members.sharesWhatItCommits('a'), members.sharesWhatItCommits('b')]).toEqual([true, false]);
});
