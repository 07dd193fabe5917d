/** Decoders of snapshots, from other nodes and from files. */
import { unwrap } from '../../src/base/result.ts';
import { snapshotChunkCodec } from '../../src/ledger/snapshot-chunk.ts';
import { MAX_MANIFEST_BYTES, snapshotManifestCodec, verifyManifest } from '../../src/ledger/snapshot-manifest.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { manifestBytesOf, snapshotOf } from '../ledger/snapshots.ts';
import { lazily, ledger } from './corpus.ts';
import { codecDecoder, decoder } from './decoder.ts';

const trusted = lazily(() => unwrap(trustGenesis(ledger().genesis, nativeScheme)));
const DEPTHS = [0, 2, 5];

export const snapshotDecoders = [
  codecDecoder('chunk of a snapshot', 'ledger/snapshot-chunk.ts#snapshotChunkCodec', snapshotChunkCodec, () =>
    DEPTHS.flatMap((depth) => snapshotOf(ledger().backing.entries, depth).chunks.slice(0, 4)),
  ),
  decoder({
    name: 'manifest of a snapshot',
    covers: ['ledger/snapshot-manifest.ts#snapshotManifestCodec'],
    format: 'messagepack',
    maxBytes: MAX_MANIFEST_BYTES,
    samples: () => DEPTHS.map((depth) => manifestBytesOf(ledger(), depth)),
    decode(bytes) {
      const verified = verifyManifest(bytes, trusted(), nativeScheme);
      return verified.ok ? snapshotManifestCodec.decode(bytes) : verified;
    },
    encode: (manifest) => snapshotManifestCodec.encode(manifest),
  }),
];
