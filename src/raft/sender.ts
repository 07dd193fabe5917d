/**
 * Whose request this is. hashicorp/raft takes every sender at its word, so that whoever knows a server's id can break into
 * a cluster, and a stranger's higher term is obeyed. Here a sender is one of the latest configuration or of the operator's
 * list of the cluster, it says the address that it has there, and that address is where the connection comes from.
 *
 * The list is for a server that has no configuration yet, or one from before all others were replaced.
 */
import { hostPortOf } from '../base/host-port.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { Claim, RaftRequest, Server, ServerAddress, ServerId } from './messages.ts';

/** Who is at the other end of a connection: proved by a handshake, or no more than where it comes from. */
export type RemoteIdentity =
  { readonly kind: 'peer'; readonly peerId: string } | { readonly kind: 'address'; readonly ip: string };

export type KnownServer = Pick<Server, 'id' | 'address'>;

export interface KnownServers {
  readonly self: ServerId;
  /** Of the latest configuration, committed or not. */
  readonly configured: readonly KnownServer[];
  /** The operator's list, kept current by whoever adds servers. */
  readonly listed: readonly KnownServer[];
  /** Who leads as far as is known: the likeliest of those who might have sent what names nobody. */
  readonly leader: ServerId | null;
  /** The IP addresses that the host of a `host:port` stands for, without a port; of an IP address it is that. */
  readonly ipsOf: (host: string) => readonly string[];
}

export interface Sender {
  readonly id: ServerId;
  /** In the operator's list. */
  readonly isListed: boolean;
}

/**
 * Who sent the request.
 *
 * - It names id and address (since 1.3.7): both together must be known.
 * - It names an address only, as leader or candidate (before 1.3.7): the id that belongs to it.
 * - It names nobody (TimeoutNow before 1.3.7): over libp2p the connection says who it is; over TCP a known server must be
 *   where the connection comes from, and of several at one IP address the leader is taken to be meant.
 *
 * Refusals: `raft-stranger`, `raft-sender-mismatch`.
 */
export function senderOf(remote: RemoteIdentity, request: RaftRequest, known: KnownServers): Result<Sender> {
  const claim = claimOf(request);
  if (!claim.ok) return claim;
  const servers = [...known.configured, ...known.listed];
  const candidates = servers.filter((server) => isClaimed(server, claim.value, known));
  if (candidates.length === 0) return stranger(remote, claim.value);
  const here = candidates.filter(({ address }) => isAt(remote, address, known));
  const own = here.filter(({ id }) => id === known.self);
  const others = here.filter(({ id }) => id !== known.self);
  const sender = others.find(({ id }) => id === known.leader) ?? others[0];
  if (sender === undefined) {
    const saysNothing = claim.value.id === null && claim.value.address === null;
    return saysNothing && own.length === 0
      ? stranger(remote, claim.value)
      : mismatch(remote, claim.value, own.length > 0);
  }
  return ok({ id: sender.id, isListed: known.listed.some(({ id }) => id === sender.id) });
}

/** What the request says of its sender, in whichever fields. */
function claimOf(request: RaftRequest): Result<Claim> {
  const { id, address } = request.sender;
  const older = olderAddress(request);
  if (address !== null && older !== null && address !== older) {
    return refuse('raft-sender-mismatch', 'a request names two addresses of its sender', { address, older });
  }
  return ok({ id, address: address ?? older });
}

/** Where versions before 1.3.7 say who they are. */
function olderAddress(request: RaftRequest): ServerAddress | null {
  switch (request.kind) {
    case 'appendEntries':
    case 'installSnapshot':
      return request.leader === '' ? null : request.leader;
    case 'requestVote':
      return request.candidate === '' ? null : request.candidate;
    case 'preVote':
    case 'timeoutNow':
      return null;
  }
}

function isClaimed(server: KnownServer, { id, address }: Claim, known: KnownServers): boolean {
  if (id !== null && server.id !== id) return false;
  return address === null || isSameEndpoint(server.address, address, known);
}

/** A Go node says the IP address that it listens on where its cluster may know it by a name. */
function isSameEndpoint(one: ServerAddress, other: ServerAddress, { ipsOf }: KnownServers): boolean {
  if (one === other) return true;
  const [a, b] = [hostPortOf(one), hostPortOf(other)];
  if (a === undefined || b === undefined || a.port !== b.port) return false;
  const ips = ipsOf(b.host).map(plainIp);
  return ipsOf(a.host).some((ip) => ips.includes(plainIp(ip)));
}

function isAt(remote: RemoteIdentity, address: ServerAddress, { ipsOf }: KnownServers): boolean {
  if (remote.kind === 'peer') return remote.peerId === address;
  const host = hostPortOf(address)?.host;
  return host !== undefined && ipsOf(host).some((ip) => plainIp(ip) === plainIp(remote.ip));
}

/** An IPv4 address that came over an IPv6 socket is that IPv4 address. */
function plainIp(ip: string): string {
  const lower = ip.toLowerCase();
  return lower.startsWith('::ffff:') && lower.includes('.') ? lower.slice('::ffff:'.length) : lower;
}

function stranger(remote: RemoteIdentity, claim: Claim): Result<never> {
  return refuse('raft-stranger', 'the sender is neither in the configuration nor in the list of the cluster', {
    ...details(remote, claim),
  });
}

function mismatch(remote: RemoteIdentity, claim: Claim, isOwn: boolean): Result<never> {
  const message = isOwn ? 'the sender says that it is this server' : 'the sender is not where it says that it is';
  return refuse('raft-sender-mismatch', message, details(remote, claim));
}

function details(remote: RemoteIdentity, { id, address }: Claim): Readonly<Record<string, string | null>> {
  return { remote: remote.kind === 'peer' ? remote.peerId : remote.ip, id, address };
}
