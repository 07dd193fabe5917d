/**
 * Configurations as they are in the log and in snapshots (hashicorp/raft, `configuration.go`), and the lists of addresses
 * that protocol versions 0 and 1 have in their place (`peersjson.go` and `EncodePeer` in `net_transport.go`).
 */
import { ok, refuse, type Result } from '../../base/result.ts';
import type { ConfigurationCodec } from '../contract.ts';
import { ENTRY_TYPES, type Configuration, type Server, type ServerAddress, type Suffrage } from '../messages.ts';
import { DEFAULT_WIRE_LIMITS, undecodable, WireError, type WireLimits } from './limits.ts';
import { encodedKey, FieldTable, WireReader } from './msgpack-reader.ts';
import { WireWriter } from './msgpack-writer.ts';

const CONFIGURATION = new FieldTable(['Servers']);
const SERVER = new FieldTable(['Address', 'ID', 'Suffrage']);
const [serversKey, addressKey, idKey, suffrageKey] = ['Servers', ...SERVER.names].map(encodedKey) as [
  ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array],
];
/** By Go's numbers. */
const SUFFRAGES: readonly Suffrage[] = ['voter', 'nonvoter', 'staging'];
const SERVER_BYTES = 128;

/** The data of a `configuration` entry. */
export function encodeConfiguration({ servers }: Configuration): Uint8Array {
  const to = new WireWriter(16 + servers.length * SERVER_BYTES);
  to.map(1);
  to.encoded(serversKey);
  if (servers.length === 0) to.nil();
  else to.array(servers.length);
  for (const { id, address, suffrage } of servers) {
    to.map(3);
    to.encoded(addressKey);
    to.text(address);
    to.encoded(idKey);
    to.text(id);
    to.encoded(suffrageKey);
    to.uint(SUFFRAGES.indexOf(suffrage));
  }
  return to.finish();
}

/** Refusals: `undecodable`, `raft-limit-exceeded`, `raft-number-range`, `too-large`. */
export function decodeConfiguration(
  bytes: Uint8Array,
  limits: WireLimits = DEFAULT_WIRE_LIMITS,
): Result<Configuration> {
  return decodeWith(bytes, limits, (from) => {
    const servers: Server[] = [];
    for (let fields = from.struct(); fields > 0; fields--) {
      if (from.key(CONFIGURATION, 0) === 0) servers.splice(0, servers.length, ...readServers(from));
      else from.skip();
    }
    return { servers };
  });
}

function readServers(from: WireReader): readonly Server[] {
  const length = from.array('servers', from.limits.maxServers) ?? 0;
  return Array.from({ length }, () => readServer(from));
}

function readServer(from: WireReader): Server {
  let [id, address, suffrage] = ['', '', 0];
  let next = 0;
  for (let fields = from.struct(); fields > 0; fields--) {
    const field = from.key(SERVER, next);
    if (field === 0) address = from.name() ?? '';
    else if (field === 1) id = from.name() ?? '';
    else if (field === 2) suffrage = from.int();
    else from.skip();
    next = field + 1;
  }
  return { id, address, suffrage: SUFFRAGES[suffrage] ?? undecodable('a suffrage') };
}

/** The data of an `addPeer` or `removePeer` entry, and `Peers` of messages. */
export function encodePeers(addresses: readonly ServerAddress[]): Uint8Array {
  const to = new WireWriter(8 + addresses.length * SERVER_BYTES);
  to.array(addresses.length);
  for (const address of addresses) to.text(address);
  return to.finish();
}

/** Refusals as of `decodeConfiguration`. */
export function decodePeers(
  bytes: Uint8Array,
  limits: WireLimits = DEFAULT_WIRE_LIMITS,
): Result<readonly ServerAddress[]> {
  return decodeWith(bytes, limits, (from) => {
    const length = from.array('peers', limits.maxServers) ?? 0;
    return Array.from({ length }, () => from.name() ?? undecodable('an address'));
  });
}

/** What a list of addresses says in the words of later versions: all vote, and are called as they are reached. */
export function configurationOfPeers(addresses: readonly ServerAddress[]): Configuration {
  return { servers: addresses.map((address) => ({ id: address, address, suffrage: 'voter' })) };
}

/** What later versions still send to older ones beside a configuration. */
export function peersOfConfiguration({ servers }: Configuration): readonly ServerAddress[] {
  return servers.filter(({ suffrage }) => suffrage === 'voter').map(({ address }) => address);
}

/** What the engine reads and writes configurations with. */
export const configurationCodec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode({ type, data }) {
    const bytes = data ?? new Uint8Array(0);
    if (type === ENTRY_TYPES.configuration) return decodeConfiguration(bytes);
    const peers = decodePeers(bytes);
    return peers.ok ? ok(configurationOfPeers(peers.value)) : peers;
  },
};

/** All of the bytes, as one value. */
export function decodeWith<T>(bytes: Uint8Array, limits: WireLimits, read: (from: WireReader) => T): Result<T> {
  const maxBytes = limits.maxRequestBytes;
  if (bytes.length > maxBytes) return refuse('too-large', 'the encoding is larger than allowed', { maxBytes });
  try {
    const reader = new WireReader(bytes, limits);
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (error) {
    if (error instanceof WireError) return { ok: false, refusal: error.refusal };
    throw error;
  }
}
