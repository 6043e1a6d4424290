import PQueue from 'p-queue';
import type { default as MakeSharp, Sharp } from 'sharp';
import { PlutoError } from '../common/errors.js';

export interface AvatarImage {
  bytes: Buffer;
  extension: 'jpg' | 'png';
}

interface Format {
  extension: AvatarImage['extension'];
  signature: Buffer;
  encode: (image: Sharp) => Sharp;
}

const MAX_SIDE = 512;
const MAX_INPUT_PIXELS = 25_000_000;
/** A picture one pixel wide and a million high decodes no faster than it looks. */
const MAX_INPUT_SIDE = 10_000;
const TIMEOUT_SECONDS = 10;
const MAX_WAITING = 16;

const formats: Format[] = [
  {
    extension: 'jpg',
    signature: Buffer.from([0xff, 0xd8, 0xff]),
    encode: (image) => image.jpeg({ quality: 85 }),
  },
  {
    extension: 'png',
    signature: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    encode: (image) => image.png(),
  },
];

// One picture on one thread at a time: signatures need the rest of the thread pool, and a picture at
// the pixel limit can take a few hundred megabytes.
const queue = new PQueue({ concurrency: 1 });
let loaded: typeof MakeSharp | undefined;

/**
 * Makes a picture from anywhere fit to be shown: at most 512×512, upright, without metadata, encoded anew.
 * @param bytes a JPEG or PNG of at most 25 million pixels and 10,000 a side; each stays what it is
 * @throws PlutoError invalidAvatar for everything else, truncated pictures too; serviceUnavailable when too many wait
 */
export async function normaliseAvatar(bytes: Buffer): Promise<AvatarImage> {
  const format = formats.find(({ signature }) => bytes.subarray(0, signature.length).equals(signature));
  if (!format) throw new PlutoError('invalidAvatar');
  if (queue.size >= MAX_WAITING) throw new PlutoError('serviceUnavailable', { retryAfterSeconds: 5 });
  return { bytes: await queue.add(() => render(bytes, format)), extension: format.extension };
}

/** Read with the first picture: most starts see none for long. */
async function loadSharp(): Promise<typeof MakeSharp> {
  if (loaded) return loaded;
  const { default: sharp } = await import('sharp');
  // Pictures come from strangers: of the many decoders in libvips these two stay reachable.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer'] });
  sharp.cache(false);
  sharp.concurrency(1);
  return (loaded = sharp);
}

async function render(bytes: Buffer, format: Format): Promise<Buffer> {
  const sharp = await loadSharp();
  await refuseHuge(sharp(bytes));
  const image = sharp(bytes, {
    autoOrient: true,
    failOn: 'error',
    limitInputPixels: MAX_INPUT_PIXELS,
    sequentialRead: true,
  })
    .resize({ width: MAX_SIDE, height: MAX_SIDE, fit: 'inside', withoutEnlargement: true })
    .timeout({ seconds: TIMEOUT_SECONDS });
  try {
    return await format.encode(image).toBuffer();
  } catch (cause) {
    // sharp throws plain errors; whatever it says of these bytes, they make no picture within the limits.
    throw new PlutoError('invalidAvatar', { cause });
  }
}

/** Reads the head only. */
async function refuseHuge(image: Sharp): Promise<void> {
  const head = await image.metadata().catch((cause: unknown) => {
    throw new PlutoError('invalidAvatar', { cause });
  });
  if (Math.max(head.width, head.height) > MAX_INPUT_SIDE || head.width * head.height > MAX_INPUT_PIXELS) {
    throw new PlutoError('invalidAvatar');
  }
}
