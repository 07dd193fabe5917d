import { describe, expect, test } from 'vitest';
import type { AppendEntriesRequest, Claim, RaftRequest } from '../../src/raft/messages.ts';
import { senderOf, type KnownServers, type RemoteIdentity } from '../../src/raft/sender.ts';

const ip = (text: string): RemoteIdentity => ({ kind: 'address', ip: text });
const peer = (peerId: string): RemoteIdentity => ({ kind: 'peer', peerId });

const NAMES: Readonly<Record<string, readonly string[]>> = { 'node-3': ['10.0.0.3', 'fd00::3'], here: ['10.0.0.1'] };

/** Four servers; the fourth is known by the operator's list only. */
const TCP: KnownServers = {
  self: 'n1',
  configured: [
    { id: 'n1', address: '10.0.0.1:7000' },
    { id: 'n2', address: '10.0.0.2:7000' },
    { id: 'n3', address: 'node-3:7000' },
  ],
  listed: [
    { id: 'n2', address: '10.0.0.22:7000' },
    { id: 'n4', address: '10.0.0.4:7000' },
  ],
  leader: 'n3',
  ipsOf: (host) => NAMES[host] ?? [host],
};

/** Over libp2p an address is an id. */
const LIBP2P: KnownServers = {
  ...TCP,
  self: '12D3a',
  configured: ['12D3a', '12D3b'].map((id) => ({ id, address: id })),
  listed: [{ id: '12D3c', address: '12D3c' }],
  leader: null,
  ipsOf: () => [],
};

function from(id: string | null, address: string | null, leader = address ?? ''): AppendEntriesRequest {
  return {
    ...{ kind: 'appendEntries', protocolVersion: 3, sender: { id, address }, term: 99, leader, prevIndex: 0 },
    ...{ prevTerm: 0, entries: null, commitIndex: 0 },
  };
}

/** As a version before 1.3.7 says who it is. */
function older(address: string): AppendEntriesRequest {
  return from(null, null, address);
}

const NOBODY: Claim = { id: null, address: null };
const TIMEOUT_NOW: RaftRequest = { kind: 'timeoutNow', protocolVersion: 3, sender: NOBODY };

function whoSent(remote: RemoteIdentity, request: RaftRequest, known: KnownServers): string {
  const sender = senderOf(remote, request, known);
  if (!sender.ok) return sender.refusal.code;
  return sender.value.isListed ? `${sender.value.id}, listed` : sender.value.id;
}

describe('over TCP', () => {
  test.each([
    ['a server of the configuration', '10.0.0.3', from('n3', 'node-3:7000'), 'n3'],
    ['one that says the IP address of its name', '10.0.0.3', from('n3', '10.0.0.3:7000'), 'n3'],
    ['one that comes by its other IP address', 'FD00::3', from('n3', '10.0.0.3:7000'), 'n3'],
    ['one that comes over an IPv6 socket', '::ffff:10.0.0.3', from('n3', 'node-3:7000'), 'n3'],
    ['a server of the list', '10.0.0.4', from('n4', '10.0.0.4:7000'), 'n4, listed'],
    ['a server at its new address of the list', '10.0.0.22', from('n2', '10.0.0.22:7000'), 'n2, listed'],
    ['an older version, by its address', '10.0.0.2', older('10.0.0.2:7000'), 'n2, listed'],
    ['an older version, by its name', '10.0.0.3', older('node-3:7000'), 'n3'],
    ['a stranger', '10.0.0.9', from('n9', '10.0.0.9:7000'), 'raft-stranger'],
    ['an older stranger', '10.0.0.9', older('10.0.0.9:7000'), 'raft-stranger'],
    ['a stranger that knows an id', '10.0.0.9', from('n3', '10.0.0.9:7000'), 'raft-stranger'],
    ['a server at another port', '10.0.0.3', from('n3', 'node-3:7001'), 'raft-stranger'],
    ['a server with the address of another', '10.0.0.3', from('n3', '10.0.0.2:7000'), 'raft-stranger'],
    ['a stranger that knows id and address', '10.0.0.9', from('n3', 'node-3:7000'), 'raft-sender-mismatch'],
    ['a server in the name of another', '10.0.0.2', from('n3', 'node-3:7000'), 'raft-sender-mismatch'],
    ['an older stranger that knows an address', '10.0.0.9', older('10.0.0.2:7000'), 'raft-sender-mismatch'],
    ['two addresses', '10.0.0.3', from('n3', 'node-3:7000', '10.0.0.2:7000'), 'raft-sender-mismatch'],
    ['this server itself', '10.0.0.1', from('n1', '10.0.0.1:7000'), 'raft-sender-mismatch'],
    ['an id without an address', '10.0.0.3', from('n3', null), 'n3'],
    ['an id without an address from elsewhere', '10.0.0.2', from('n3', null), 'raft-sender-mismatch'],
  ])('%s', (_what, remote, request, expected) => expect(whoSent(ip(remote), request, TCP)).toBe(expected));

  test.each([
    ['a candidate', { kind: 'requestVote', candidate: '10.0.0.2:7000', isTransfer: false }],
    ['a leader with a snapshot', { kind: 'installSnapshot', leader: '10.0.0.2:7000' }],
  ])('an older version says who it is as %s', (_what, fields) => {
    const request = { protocolVersion: 3, sender: NOBODY, term: 1, ...fields } as unknown as RaftRequest;
    expect(whoSent(ip('10.0.0.2'), request, TCP)).toBe('n2, listed');
    expect(whoSent(ip('10.0.0.9'), request, TCP)).toBe('raft-sender-mismatch');
  });

  test('a request that names nobody is of the one server that is there', () => {
    expect(whoSent(ip('10.0.0.2'), TIMEOUT_NOW, TCP)).toBe('n2, listed');
    expect(whoSent(ip('10.0.0.9'), TIMEOUT_NOW, TCP)).toBe('raft-stranger');
    expect(whoSent(ip('10.0.0.1'), TIMEOUT_NOW, TCP)).toBe('raft-sender-mismatch');
  });

  test('and where several are at one IP address, of the leader as far as it is one of them', () => {
    const configured = ['n1', 'n2', 'n3', 'n4'].map((id, i) => ({ id, address: `127.0.0.1:${7001 + i}` }));
    const onOne = { ...TCP, configured, listed: [] };
    expect(whoSent(ip('127.0.0.1'), TIMEOUT_NOW, onOne)).toBe('n3');
    expect(whoSent(ip('127.0.0.1'), TIMEOUT_NOW, { ...onOne, leader: null })).toBe('n2');
    expect(whoSent(ip('127.0.0.1'), TIMEOUT_NOW, { ...onOne, leader: 'n1' })).toBe('n2');
    expect(whoSent(ip('127.0.0.1'), from('n4', '127.0.0.1:7004'), onOne)).toBe('n4');
  });

  test('a blank server takes nobody but those of its list', () => {
    const blank = { ...TCP, configured: [], leader: null };
    expect(whoSent(ip('10.0.0.4'), from('n4', '10.0.0.4:7000'), blank)).toBe('n4, listed');
    expect(whoSent(ip('10.0.0.3'), from('n3', 'node-3:7000'), blank)).toBe('raft-stranger');
  });

  test('a refusal tells who said what', () => {
    expect(senderOf(ip('10.0.0.9'), from('n3', 'node-3:7000'), TCP)).toMatchObject({
      refusal: { details: { remote: '10.0.0.9', id: 'n3', address: 'node-3:7000' } },
    });
  });
});

describe('over libp2p', () => {
  test.each([
    ['a server of the configuration', '12D3b', from('12D3b', '12D3b'), '12D3b'],
    ['a server of the list', '12D3c', from('12D3c', '12D3c'), '12D3c, listed'],
    ['an older version', '12D3b', older('12D3b'), '12D3b'],
    ['one that names nobody', '12D3b', TIMEOUT_NOW, '12D3b'],
    ['a stranger', '12D3x', from('12D3x', '12D3x'), 'raft-stranger'],
    ['a stranger that names nobody', '12D3x', TIMEOUT_NOW, 'raft-stranger'],
    ['a stranger in the name of a server', '12D3x', from('12D3b', '12D3b'), 'raft-sender-mismatch'],
    ['a stranger in the name of an older server', '12D3x', older('12D3b'), 'raft-sender-mismatch'],
    ['a server in the name of another', '12D3b', from('12D3c', '12D3c'), 'raft-sender-mismatch'],
    ['an id with another address', '12D3b', from('12D3b', '12D3c'), 'raft-stranger'],
    ['this server itself', '12D3a', from('12D3a', '12D3a'), 'raft-sender-mismatch'],
  ])('%s', (_what, remote, request, expected) => expect(whoSent(peer(remote), request, LIBP2P)).toBe(expected));
});
