/** What a validator and an observer have in common: everything below the engine. */
import { sha256Hex } from '../base/hash.ts';
import { ok, refuse, unwrap, type Result } from '../base/result.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { TrustedChain } from '../ledger/trusted-chain.ts';
import { BlockSyncClient } from '../net/block-sync.ts';
import type { Host } from '../net/host.ts';
import type { Logger } from '../observability/log.ts';
import { genesisCertificate, type EpochContext, type VerifiedCertificate } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import type { PinnableStore } from '../store/store.ts';
import { addressBookOf, type AddressBook } from './address-book.ts';
import { Admission } from './admit.ts';
import { loadBlsKey, neverSignedMark } from './bls-key.ts';
import type { NodeConfig } from './config.ts';
import { EventVerifier } from './event-verifier.ts';
import { checkEvidence } from './evidence-check.ts';
import { markFile, type Mark } from './mark-file.ts';
import { loadIdentityKey, type IdentityKey } from './keys.ts';
import { LedgerViews } from './ledger-views.ts';
import { openLedger, type OpenLedger } from './open-ledger.ts';
import { rememberingScheme } from './remembering-scheme.ts';
import { verifyNative } from './signature-native.ts';
import { SignatureThread } from './signature-thread.ts';
import { VerificationPool, type Verifier } from './verification-pool.ts';

/** An epoch's context whose genesis certificate is this program's own. */
export interface OwnEpochContext extends EpochContext {
  readonly genesis: VerifiedCertificate;
}

/** A validator's key and place. */
export interface ValidatorSeat {
  readonly index: number;
  readonly blsSecretKey: Uint8Array;
  /** Says that the key has signed nothing yet. */
  readonly neverSigned: Mark;
}

export interface NodeCore {
  readonly config: NodeConfig;
  readonly log: Logger;
  /** Without its records, which may be many, and are in the state. */
  readonly genesis: Pick<Genesis, 'commitDepth' | 'parameters'>;
  readonly trusted: TrustedChain;
  readonly scheme: SignatureScheme;
  readonly context: OwnEpochContext;
  readonly identity: IdentityKey;
  /** Null for an observer. */
  readonly seat: ValidatorSeat | null;
  readonly ledger: OpenLedger<PinnableStore>;
  /** What is on the disk, for other processes of the user. */
  readonly views: LedgerViews;
  readonly addresses: AddressBook;
  readonly pool: VerificationPool;
  /** Null for an observer. */
  readonly signatures: SignatureThread | null;
  readonly events: EventVerifier;
  readonly admission: Admission;
  readonly nowMs: () => number;
}

/** A core with its network: made once the host listens. */
export interface NetworkedCore extends NodeCore {
  readonly host: Host;
  readonly sync: BlockSyncClient;
}

/** What a validator stands on. A simulation hands in a disk, a clock, keys and a network of its own. */
export interface ValidatorCore extends Pick<
  NodeCore,
  'genesis' | 'scheme' | 'context' | 'events' | 'admission' | 'log' | 'nowMs'
> {
  readonly ledger: OpenLedger;
  readonly config: Pick<NodeConfig, 'limits' | 'pacemaker' | 'submission'>;
  readonly identity: Pick<IdentityKey, 'sign'>;
  readonly addresses: Pick<AddressBook, 'of'>;
  readonly pool: Verifier;
  readonly sync: Pick<BlockSyncClient, 'sealed' | 'blocks'>;
}

/** Pairings take about 2 ms, and a round waits for one at a time: one thread keeps up. */
const VERIFICATION_THREADS = 1;
/** Events whose signatures were checked: several blocks' worth. */
const MAX_REMEMBERED_EVENTS = 32_768;
/** Certificates and head statements of others' answers to this node's own reads. */
const MAX_REMEMBERED_SIGNATURES = 1024;
const MAX_MESSAGES_UNDER_CHECK_PER_PEER = 64;

/**
 * @throws CodedError `validators-out-of-bounds` and others of `makeValidatorSet`, `not-in-validator-set`,
 *   `bls-key-mismatch`, and those of the key files and of `openLedger`
 */
export async function openCore(config: NodeConfig, genesis: Genesis, log: Logger): Promise<NodeCore> {
  const { scheme: loaded, warning } = await loadDefaultScheme();
  const scheme = rememberingScheme(loaded, MAX_REMEMBERED_SIGNATURES);
  if (warning !== null) log.warn(warning);
  const identity = await loadIdentityKey(config);
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  const blsSecretKey = config.blsKeyFile === null ? null : await loadBlsKey(config.blsKeyFile);
  const blsPublicKey = blsSecretKey === null ? null : scheme.publicKeyOf(blsSecretKey);
  const seat = unwrap(seatOf(config, identity.peerId, blsSecretKey, blsPublicKey, validators));
  const ledger = await openLedger(
    config.dataDirectory,
    genesis,
    blsPublicKey === null ? null : sha256Hex(blsPublicKey),
  );
  const { chainId } = ledger.log;
  const firstBlockId = ledger.genesisBlock.id;
  const context: OwnEpochContext = { chainId, validators, genesis: genesisCertificate(validators.epoch, firstBlockId) };
  const pool = new VerificationPool(context, VERIFICATION_THREADS);
  // An observer checks few events, and needs no thread for them.
  const signatures = seat === null ? null : new SignatureThread();
  const events = new EventVerifier({
    chainId,
    verifySignature: signatures?.verify ?? verifyNative,
    checkEvidence: (event) => checkEvidence(event, validators, pool),
    maxRemembered: MAX_REMEMBERED_EVENTS,
  });
  const admission = new Admission({
    context,
    verifier: pool,
    events,
    verifySignature: verifyNative,
    maxUnderCheckPerPeer: MAX_MESSAGES_UNDER_CHECK_PER_PEER,
  });
  const addresses = addressBookOf(config, genesis);
  const nowMs = () => Date.now();
  const { commitDepth, parameters } = genesis;
  return {
    config,
    log,
    genesis: { commitDepth, parameters },
    trusted: { chainId, validators, genesisBlockId: () => firstBlockId },
    scheme,
    context,
    identity,
    seat,
    ledger,
    views: new LedgerViews(ledger.store),
    addresses,
    pool,
    signatures,
    events,
    admission,
    nowMs,
  };
}

export function withNetwork(core: NodeCore, host: Host): NetworkedCore {
  return { ...core, host, sync: BlockSyncClient.over(host) };
}

/** Where to find a validator now. */
export function validatorTarget(
  core: Pick<ValidatorCore, 'addresses' | 'context'>,
  index: number,
): { readonly peerId: string; readonly multiaddrs: readonly string[] } {
  const { peerId } = core.context.validators.member(index);
  return { peerId, multiaddrs: core.addresses.of(peerId) };
}

function seatOf(
  config: NodeConfig,
  peerId: string,
  blsSecretKey: Uint8Array | null,
  blsPublicKey: Uint8Array | null,
  validators: EpochContext['validators'],
): Result<ValidatorSeat | null> {
  if (config.blsKeyFile === null || blsSecretKey === null || blsPublicKey === null) return ok(null);
  const index = validators.indexOf(peerId);
  if (index === undefined) {
    return refuse(
      'not-in-validator-set',
      'the identity key is of no validator of the genesis; start as an observer (no blsKeyFile)',
      {
        peerId,
      },
    );
  }
  const registered = validators.member(index).blsPublicKey;
  if (Buffer.compare(registered, blsPublicKey) !== 0) {
    return refuse('bls-key-mismatch', 'the BLS key is not the one that the genesis registers for this validator', {
      peerId,
    });
  }
  return ok({ index, blsSecretKey, neverSigned: markFile(neverSignedMark(config.blsKeyFile)) });
}
