/** Configurations in entries of the log, in the words of hashicorp/raft: the codec that a server runs with. */
import { ok } from '../base/result.ts';
import type { ConfigurationCodec } from './contract.ts';
import { ENTRY_TYPES } from './messages.ts';
import {
  configurationOfPeers,
  decodeConfiguration,
  decodePeers,
  encodeConfiguration,
} from './wire/configuration-codec.ts';

const NOTHING = new Uint8Array();

export const wireCodec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ type, data }) => {
    if (type === ENTRY_TYPES.configuration) return decodeConfiguration(data ?? NOTHING);
    const addresses = decodePeers(data ?? NOTHING);
    return addresses.ok ? ok(configurationOfPeers(addresses.value)) : addresses;
  },
};
