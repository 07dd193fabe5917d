import { expect, it } from 'vitest';
import { TcpStreams } from '../../../src/net/tcp-streams.ts';
import { networkLinks } from '../../../src/node/raft/network-links.ts';
import { encodeRequest } from '../../../src/raft/wire/request-codec.ts';
import { DEFAULT_DIALECT } from '../../../src/raft/wire/dialect.ts';
import { WireClient } from '../../interop/wire-client.ts';
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

/** Names that stand for what a test says, and a count of how often one was looked up. */
function namesOf(ips: Record<string, string>) {
  const state = { ips, lookUps: 0, nowMs: 0 };
  const lookUp = async (name: string): Promise<readonly string[]> => {
    state.lookUps++;
    const ip = state.ips[name];
    if (ip === undefined) throw new Error('not found');
    return [ip];
  };
  return { state, names: new HostNames(lookUp, () => state.nowMs) };
}

it('a name is looked up again where a sender does not match, once in five seconds', async () => {
  const { names, state } = namesOf({ 'b.example': '10.0.0.2' });
  const addresses = ['b.example:7000'];
  await names.refresh(addresses);
  state.ips = { 'b.example': '10.0.0.9' };
  await names.lookAgain(addresses);
  expect(names.ipsOf('b.example')).toEqual(['10.0.0.2']);
  state.nowMs = 5000;
  await Promise.all([names.lookAgain(addresses), names.lookAgain(addresses), names.lookAgain(addresses)]);
  expect([names.ipsOf('b.example'), state.lookUps]).toEqual([['10.0.0.9'], 2]);
  state.ips = {};
  state.nowMs = 10_000;
  await names.lookAgain(addresses);
  expect(names.ipsOf('b.example')).toEqual(['10.0.0.9']);
});

it('what was looked up earlier and came later changes nothing', async () => {
  const waiting: ((ips: readonly string[]) => void)[] = [];
  const names = new HostNames(() => new Promise((resolve) => waiting.push(resolve)));
  const [earlier, later] = [names.refresh(['b.example:7000']), names.refresh(['b.example:7000'])];
  waiting[1]?.(['10.0.0.9']);
  await later;
  waiting[0]?.(['10.0.0.2']);
  await earlier;
  expect(names.ipsOf('b.example')).toEqual(['10.0.0.9']);
});

it('a server whose name has moved to another address is heard again when it has been refused', async () => {
  const { names, state } = namesOf({ 'b.example': '10.0.0.2' });
  const streams = new TcpStreams({ listen: '127.0.0.1:0' });
  const b = { id: 'b', address: 'b.example:7000' };
  const open = networkLinks({
    self: { id: 'a', address: 'a.example:7000' },
    streams,
    protocolVersion: 3,
    listed: () => [],
    names,
  });
  const refusals: string[] = [];
  const links = await open((asked) => asked.answer({ kind: 'preVote', term: 1, granted: asked.from === 'b' }), {
    configured: () => [b],
    leader: () => null,
    refused: ({ code }) => void refusals.push(code),
  });
  const request = { kind: 'preVote', protocolVersion: 3, sender: b, term: 2, lastIndex: 1, lastTerm: 1 } as const;
  const ask = async (): Promise<unknown> => {
    const client = await WireClient.to(streams.address);
    const { values } = await client.ask(encodeRequest(request, DEFAULT_DIALECT));
    client.close();
    return values[1];
  };
  state.ips = { 'b.example': '127.0.0.1' };
  await ask();
  await ask();
  expect(refusals).toEqual(['raft-sender-mismatch', 'raft-sender-mismatch']);
  state.nowMs = 5000;
  await ask();
  expect(await ask()).toMatchObject({ Granted: true });
  expect([refusals.length, state.lookUps]).toEqual([3, 2]);
  await links.stop();
});
