import { expect, it } from 'vitest';
import { HostNames } from '../../../src/node/raft/host-names.ts';

it('an IP address stands for itself, in its usual form', () => {
  const { ipsOf } = new HostNames();
  expect(ipsOf('10.0.0.1')).toEqual(['10.0.0.1']);
  expect(ipsOf('0:0:0:0:0:0:0:1')).toEqual(['::1']);
});

it('a name stands for what it was looked up as, while it is wanted', async () => {
  const names = new HostNames();
  expect(names.ipsOf('localhost')).toEqual([]);
  await names.refresh(['localhost:7000', '10.0.0.1:7000', '12D3KooW']);
  expect(names.ipsOf('localhost').some((ip) => ip === '127.0.0.1' || ip === '::1')).toBe(true);
  await names.refresh([]);
  expect(names.ipsOf('localhost')).toEqual([]);
});
