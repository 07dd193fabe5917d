/** For commands that ask a network rather than a node on this machine: which chain, and whom to ask first. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { codedError } from '../base/result.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { AddressBook, peerIdOfAddress } from '../node/address-book.ts';
import { readGenesisFile } from '../node/genesis-file.ts';
import { CONFIG_OPTION, configFileOf, configOf, gathered } from './options.ts';
import type { Terminal } from './terminal.ts';

export interface NetworkChoice {
  readonly config?: string;
  readonly genesis?: string;
  readonly from?: readonly string[];
}

/** A chain to trust, and addresses of peers to ask. */
export interface Network {
  readonly genesis: Genesis;
  readonly addresses: AddressBook;
  /** Peers named with `--from`, each with its address; empty: whoever is known. */
  readonly named: readonly { readonly peerId: string; readonly multiaddrs: readonly string[] }[];
}

export function withNetworkChoice(command: Command): Command {
  return command
    .option(...CONFIG_OPTION)
    .option('--genesis <file>', 'the genesis to trust')
    .option('--from <addr>', 'multiaddr of a peer to ask, ending in /p2p/ID; repeatable', gathered);
}

/** Whom a reader believes besides the genesis. */
export function trustOption(): Option {
  return new Option('--trust <whom>', 'a quorum of validators alone, or of a Raft cluster also the peer that answers')
    .choices(['byzantine', 'crash-only'])
    .default('byzantine');
}

/** @throws CodedError `usage` when neither a configuration nor a genesis is named */
export async function networkOf(choice: NetworkChoice, terminal: Terminal): Promise<Network> {
  const named = (choice.from ?? []).map((address) => {
    const peerId = peerIdOfAddress(address);
    if (peerId === undefined) {
      throw codedError('usage', `--from ${address} must end in /p2p/<peer id>, so that whoever answers is checked`);
    }
    return { peerId, multiaddrs: [address] };
  });
  // A genesis that was named is all there is to trust; only a configuration that was named too adds to it.
  const file = choice.genesis === undefined ? configFileOf(choice, terminal) : choice.config;
  if (file === undefined && choice.genesis === undefined) {
    throw codedError('usage', 'name the network with --config FILE, or with --genesis FILE and --from ADDR');
  }
  const config = file === undefined ? undefined : await configOf(file, {}, terminal);
  const genesis = await readGenesisFile(
    choice.genesis === undefined ? (config?.genesis ?? '') : resolve(terminal.directory, choice.genesis),
  );
  const known = new Map(genesis.validators.map(({ peerId, multiaddrs }) => [peerId, multiaddrs]));
  const addresses = new AddressBook(known, config?.bootstrap ?? [], [
    ...(config?.addressFiles ?? []),
    ...(config === undefined ? [] : [config.addressFile]),
  ]);
  return { genesis, addresses, named };
}
