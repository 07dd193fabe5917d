import { expect, test } from 'vitest';
import { BlockServers, type BlockServer } from '../../src/node/block-servers.ts';

const [a, b, c] = ['a', 'b', 'c'].map((peerId): BlockServer => ({ peerId, multiaddrs: [], validator: null })) as [
  BlockServer,
  BlockServer,
  BlockServer,
];
const names = (servers: readonly BlockServer[]): string => servers.map(({ peerId }) => peerId).join('');

test('all servers are asked in turn', () => {
  const servers = new BlockServers(() => [a, b, c]);
  expect([names(servers.next(2)), names(servers.next(2)), names(servers.next(2))]).toEqual(['ab', 'bc', 'ca']);
  expect(names(new BlockServers(() => []).next(2))).toBe('');
});

test('who failed is asked behind those that did not, until it serves again', () => {
  const servers = new BlockServers(() => [a, b, c]);
  servers.failed(a);
  expect(names(servers.next(3))).toBe('bca');
  servers.failed(b);
  servers.failed(b);
  expect(names(servers.next(3))).toBe('cab');
  for (let time = 0; time < 10; time++) servers.failed(a);
  servers.served(a);
  servers.served(b);
  expect(names(servers.next(3))).toBe('cab');
  expect(names(servers.next(3))).toBe('abc');
});

test('who lied is asked last, whatever it gives later', () => {
  const servers = new BlockServers(() => [a, b]);
  servers.lied(a);
  servers.served(a);
  servers.failed(a);
  for (let time = 0; time < 5; time++) servers.failed(b);
  expect([names(servers.next(2)), names(servers.next(2))]).toEqual(['ba', 'ba']);
});
