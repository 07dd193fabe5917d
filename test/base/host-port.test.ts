import { expect, test } from 'vitest';
import { hostPortOf } from '../../src/base/host-port.ts';

test.each([
  ['127.0.0.1:7000', '127.0.0.1', 7000],
  ['node-1.example:0', 'node-1.example', 0],
  ['[::1]:65535', '::1', 65_535],
])('%s is a host and a port', (address, host, port) => expect(hostPortOf(address)).toEqual({ host, port }));

test.each(['', ':1', 'a', 'a:', 'a:b', 'a:65536', 'a:123456', '::1:7000', '[::1]', '[]:1', 'a:1:2', '12D3KooWabc'])(
  '%j is none',
  (address) => expect(hostPortOf(address)).toBe(undefined),
);
