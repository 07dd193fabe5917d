import { verifyHere, verifyNative } from '../../src/node/signature-native.ts';
import { signatureContract } from '../ledger/signature-contract.ts';

signatureContract('on the thread pool', verifyNative);
signatureContract('native and synchronous', verifyHere);
