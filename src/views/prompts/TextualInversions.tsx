import type { Embedding } from '../../models/embeddingFile.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { diffusersToken } from '../../tokens/diffusersToken.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';

/** Spelling of an embedding's name in each language. */
const written: Readonly<Record<Syntax, (embedding: Embedding) => string>> = {
  a1111: ({ name }) => name,
  comfy: ({ name }) => `embedding:${name}`,
  compel: diffusersToken,
};

const count = (vectors: number) => (vectors === 1 ? '1 vector' : `${vectors} vectors`);

/** Lists the embeddings that prompts can name. They are forgotten when the page is closed. */
export function TextualInversions() {
  const embeddings = useFacts((s) => s.embeddings);
  const syntax = useFacts((s) => s.options.syntax);
  return (
    <div className={styles.inversions}>
      <h3 id="inversions-title">Textual inversions</h3>
      <ul aria-labelledby="inversions-title">
        {embeddings.map((embedding) => (
          <Row key={embedding.name} embedding={embedding} />
        ))}
      </ul>
      <p className="help">
        {syntax === 'compel' &&
          'Compel calls each by diffusers’ name: the name in the file, or else the file’s own name. '}
        They are forgotten when the page is reloaded, and links do not contain them.
      </p>
    </div>
  );
}

function Row({ embedding }: { readonly embedding: Embedding }) {
  const { name, vectors } = embedding;
  const removeEmbedding = useFacts((s) => s.removeEmbedding);
  const width = useFacts((s) => shownConfig(s).hiddenSize);
  const write = useFacts((s) => written[s.options.syntax]);
  // An embedding with more vectors than a chunk of A1111's has tokens cannot be used there.
  const chunkLength = useFacts((s) => shownConfig(s).maxPositionEmbeddings - 2);
  const isTooLong = useFacts((s) => s.options.syntax === 'a1111') && vectors.length > chunkLength;
  const own = vectors[0].length;
  const why =
    own !== width
      ? `${own} wide, the model is ${width}`
      : isTooLong
        ? `A1111 fits ${chunkLength} vectors in a chunk`
        : null;
  // ComfyUI ends a name at a space.
  const isSplit = useFacts((s) => s.options.syntax === 'comfy') && /\s/.test(name);
  return (
    <li>
      <span className={styles.what}>
        <b>{name}</b>
        <span className="muted">{count(vectors.length)}</span>
        {why ? (
          <span className={styles.unfit}>not used: {why}</span>
        ) : isSplit ? (
          <span className={styles.unfit}>cannot be named: ComfyUI ends a name at a space, so rename the file</span>
        ) : (
          <span className="muted">
            write <code>{write(embedding)}</code>
          </span>
        )}
      </span>
      <button
        type="button"
        className="quiet small"
        aria-label={`Remove ${name}`}
        title="Remove"
        onClick={() => removeEmbedding(name)}
      >
        ✕
      </button>
    </li>
  );
}
