/**
 * The server that a scenario brings into a cluster of Go servers: ours, or another Go server, which shows that the
 * scenario asks for nothing that hashicorp/raft itself does not do.
 */
import type { Cluster } from './cluster.ts';
import type { PeerOptions } from './go-launch.ts';
import type { Peer } from './peer.ts';

export interface Newcomer {
  readonly what: string;
  /** Gives it a place; it is not started. */
  place(cluster: Cluster, id: string, options?: Partial<PeerOptions>): Promise<Peer>;
}

export const goNewcomer: Newcomer = {
  what: 'another Go server',
  place: (cluster, id, options = {}) => cluster.addGo(id, options),
};

export const ourNewcomer: Newcomer = {
  what: 'a server of ours',
  place: (cluster, id, options = {}) => cluster.addOurs(id, options),
};
