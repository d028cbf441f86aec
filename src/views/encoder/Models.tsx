import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { customFile, fileFrom, isKept, sd15TextEncoder } from '../../models/library/modelSources.ts';
import type { StoredModel } from '../../models/library/storage.ts';
import type { StoragePlace } from '../../models/library/storageFiles.ts';
import { fileToKeep, listedModels, requestFor } from '../../state/modelChoices.ts';
import { anyAddressPage, broughtAddress, isAnyAddressPageThere, mayConnect } from '../../state/reach.ts';
import type { StoredModels } from '../../worker/messages.ts';
import { bytes } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { GetModel } from './Downloads.tsx';
import { KeepButton } from './Keep.tsx';
import styles from './models.module.css';

/** Lists the models that can be downloaded and those that are stored. */
export function Models() {
  const listModels = useFacts((s) => s.listModels);
  useEffect(() => {
    // Other tabs may have changed the list.
    void listModels();
  }, [listModels]);
  return (
    <>
      <div>
        <h3>Download</h3>
        <p className="muted small">
          {sd15TextEncoder.name} ({sd15TextEncoder.licence}), from huggingface.co or a mirror. Nothing is downloaded
          before you press a button; then it is checked, kept in this browser and used.
        </p>
        <ul className={styles.files}>
          {sd15TextEncoder.files.map((file) => (
            <li key={file.id}>
              <span className={styles.name}>{file.label}</span>
              <GetModel file={file} />
            </li>
          ))}
        </ul>
        <OtherAddress />
      </div>
      <Stored />
    </>
  );
}

/** Whether there is a page that may connect to any address; false until that is known. */
function useAnyAddressPage(): boolean {
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    void isAnyAddressPageThere().then(setThere);
  }, []);
  return isThere;
}

/** Says that an address was not asked, and where it can be. */
function Unreachable({ address }: { address: string }) {
  const isPageThere = useAnyAddressPage();
  return (
    <div className={`notice ${styles.unreachable}`} role="alert">
      <p>
        This page connects only to itself and to huggingface.co and its mirror, so that nothing you type can go anywhere
        else: {new URL(address).host} was not asked.
        {isPageThere && ' Another page of clipscope may connect to any address. It has your prompts, too.'}
      </p>
      {isPageThere && <a href={anyAddressPage(address)}>Open that page</a>}
    </div>
  );
}

/** A download that was left unfinished, which only the page for any address can go on with. */
function GoOnElsewhere({ address, name }: { address: string; name: string }) {
  if (!useAnyAddressPage()) return null;
  return (
    <a href={anyAddressPage(address)} className="small" aria-label={`Go on with ${name} on another page`}>
      Go on on another page
    </a>
  );
}

/** An address that only a page for any address may connect to. */
const anyAddress = 'https://any.invalid/';

function OtherAddress() {
  const download = useFacts((s) => s.download);
  const [address, setAddress] = useState(() => broughtAddress(location.hash) ?? '');
  /** How often this address was refused: each time is said anew. */
  const [refusals, setRefusals] = useState(0);
  /** The address that was asked for, where this page may not connect to it. */
  const [unreachable, setUnreachable] = useState<string | null>(null);
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const file = customFile(address);
    if (!file) return setRefusals(refusals + 1);
    if (!mayConnect(file.urls[0])) return setUnreachable(file.urls[0]);
    setAddress('');
    void download(file);
  };
  return (
    <form className={styles.other} onSubmit={submit}>
      <label htmlFor={id}>Another address</label>
      <input
        id={id}
        type="text"
        inputMode="url"
        autoComplete="off"
        spellCheck={false}
        placeholder="https://…/model.safetensors"
        value={address}
        aria-invalid={refusals > 0 || undefined}
        aria-describedby={refusals > 0 ? `${id}-refused ${id}-help` : `${id}-help`}
        onChange={(event) => {
          setAddress(event.target.value);
          setRefusals(0);
          setUnreachable(null);
        }}
      />
      <button type="submit">Download</button>
      {refusals > 0 && (
        <p key={refusals} className={`small ${styles.refused}`} id={`${id}-refused`} role="alert">
          Give the address of a file, beginning with https://.
        </p>
      )}
      <p className="muted small" id={`${id}-help`}>
        A .safetensors file of SD 1.x. From a whole checkpoint only the text encoder is fetched: 246 MB in 16 bit, 492
        MB in 32 bit.
        {mayConnect(anyAddress) && (
          <>
            {' '}
            This page may connect to any address. <a href="./">The usual page</a> connects only to itself and to
            huggingface.co and its mirror.
          </>
        )}
      </p>
      {unreachable !== null && <Unreachable address={unreachable} />}
    </form>
  );
}

const places: Record<StoragePlace, string> = {
  opfs: 'Kept in this browser, for this page alone (origin private file system).',
  cache: 'Kept in this browser, for this page alone (cache storage).',
  memory: 'This browser offers no place to keep models, so they are kept until this page is closed.',
};

function storageText({ place, free, persisted }: StoredModels, used: number): string {
  const parts = [places[place]];
  parts.push(free === null ? `${bytes(used)} used.` : `${bytes(used)} used, room for ${bytes(free)} more.`);
  if (place !== 'memory')
    parts.push(
      persisted
        ? 'The browser has promised to keep them.'
        : 'The browser may delete them when the disk is nearly full.',
    );
  return parts.join(' ');
}

function Stored() {
  const stored = useFacts((s) => s.stored);
  const models = useFacts(listedModels);
  const file = useFacts(fileToKeep);
  const title = useRef<HTMLHeadingElement>(null);
  if (!stored) return <p className="muted small">Looking for stored models</p>;
  const used = stored.models.reduce((sum, model) => sum + model.stored, 0);
  return (
    <div>
      <h3 ref={title} tabIndex={-1}>
        Stored
      </h3>
      {file && (
        <ul className={styles.files} aria-label="Opened from disk">
          <li>
            <span className={styles.name}>{file.name}</span>
            <span className="muted small">Opened from disk, for this visit alone</span>
            <KeepButton isListed />
          </li>
        </ul>
      )}
      {models.length === 0 ? (
        <p className="muted small">None yet.</p>
      ) : (
        <ul className={styles.files} aria-label="Stored models">
          {models.map((model) => (
            <StoredRow key={model.id} model={model} onDeleted={() => title.current?.focus()} />
          ))}
        </ul>
      )}
      <p className="muted small">
        {storageText(stored, used)} <a href="#checkpoint">Examine a checkpoint</a>
      </p>
    </div>
  );
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

function storedText(model: StoredModel): string {
  const { bytes: whole, stored, complete, addedAt, source } = model;
  const parts = [
    complete ? bytes(stored) : `Not complete: ${bytes(stored)}${whole === null ? '' : ` of ${bytes(whole)}`}`,
  ];
  if (addedAt > 0) parts.push(day.format(addedAt));
  if (isKept(model)) parts.push('from a file');
  else if (URL.canParse(source)) parts.push(new URL(source).host);
  return parts.join(' · ');
}

function StoredRow({ model, onDeleted }: { readonly model: StoredModel; onDeleted(): void }) {
  const isUsed = useFacts((s) => s.modelRequest?.kind === 'stored' && s.modelRequest.model === model.id);
  const openModel = useFacts((s) => s.openModel);
  const download = useFacts((s) => s.download);
  const deleteModel = useFacts((s) => s.deleteModel);
  /** Whether the question is shown. Null before it was asked, false after the answer was no. */
  const [isAsking, setAsking] = useState<boolean | null>(null);
  const { id, name, complete, source } = model;
  const rest = complete ? null : fileFrom(source);
  return (
    <li>
      <span className={styles.name}>{name}</span>
      <span className="muted small">{storedText(model)}</span>
      {isAsking ? (
        <span className={styles.actions}>
          <span className="small">
            {isUsed
              ? 'Delete? It stays in use until this page is closed, but LoRAs and another engine would need its file.'
              : 'Delete from this browser?'}
          </span>
          <button
            type="button"
            className={`small ${styles.danger}`}
            onClick={() => void deleteModel(id).then(onDeleted)}
          >
            Yes, delete
          </button>
          {/* biome-ignore lint/a11y/noAutofocus: the button that was pressed is gone; this is the safe answer to it. */}
          <button type="button" className="small" autoFocus onClick={() => setAsking(false)}>
            Keep
          </button>
        </span>
      ) : (
        <span className={styles.actions}>
          {isUsed && <span className="muted small">In use</span>}
          {complete && !isUsed && (
            <button
              type="button"
              className="small"
              aria-label={`Use ${name}`}
              onClick={() => void openModel(requestFor(model))}
            >
              Use
            </button>
          )}
          {rest && !mayConnect(rest.urls[0]) && <GoOnElsewhere address={rest.urls[0]} name={name} />}
          {rest && mayConnect(rest.urls[0]) && (
            <button
              type="button"
              className="small"
              aria-label={`Go on with ${name}`}
              onClick={() => void download(rest)}
            >
              Go on
            </button>
          )}
          <button
            type="button"
            className="small"
            aria-label={`Delete ${name}`}
            // biome-ignore lint/a11y/noAutofocus: the focus comes back from the question.
            autoFocus={isAsking === false}
            onClick={() => setAsking(true)}
          >
            Delete
          </button>
        </span>
      )}
    </li>
  );
}
