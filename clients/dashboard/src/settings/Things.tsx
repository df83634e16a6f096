import { useState, type ReactNode } from "react";
import type { Asked } from "../data/api";
import { number, t } from "../i18n";
import { Confirm } from "../ui/Confirm";
import { Dialog } from "../ui/Dialog";
import { Form, type Field } from "../ui/Form";
import { Secret, type Shown } from "../ui/Secret";
import table from "../ui/Table.module.css";
import css from "./Things.module.css";

/** Something that can be done. With fields it asks for them; without, whether it is meant. */
export interface Act {
  key: string;
  /** What the button says. */
  title: string;
  /** What follows from it. */
  hint: string;
  fields?: readonly Field[];
  /** It cannot be undone. */
  isFinal?: boolean;
  run?(values: Record<string, string>): Promise<Shown | void>;
  /** In the place of a question. */
  content?(): ReactNode;
}

export interface Column<T> {
  title: string;
  cell(item: T): ReactNode;
}

interface Props<T> {
  title: string;
  list: Asked<T[]>;
  nameOf(item: T): string;
  /** What a search looks at. */
  textOf(item: T): string;
  columns: readonly Column<T>[];
  add?: Act | undefined;
  acts(item: T): readonly Act[];
}

const MOST = 200;

/** A list of things, each with what can be done to it. */
export function Things<T extends { id: number }>({ title, list: { value: items, error, again }, nameOf, textOf, columns, add, acts }: Props<T>) {
  const [sought, seek] = useState("");
  const [opened, open] = useState<number>();
  const [chosen, choose] = useState<{ act: Act; name: string }>();
  const [secret, setSecret] = useState<Shown>();
  const [told, setTold] = useState("");
  const found = (items ?? []).filter((item) => textOf(item).toLowerCase().includes(sought.toLowerCase().trim()));
  const item = items?.find(({ id }) => id === opened);

  const run = async (values: Record<string, string>): Promise<void> => {
    const { act, name } = chosen!;
    const shown = await act.run!(values);
    setTold(t("settings.done", { what: act.title, name: values.username || values.code || values.name || name }));
    if (shown) setSecret(shown);
    if (act.isFinal) open(undefined);
    again();
  };
  const close = (): void => choose(undefined);

  return (
    <div className={css.things}>
      <div className={css.tools}>
        <label className={css.search}><span className="unseen">{t("settings.search")}</span>
          <input type="search" placeholder={t("settings.search")} value={sought} onChange={(event) => seek(event.target.value)} />
        </label>
        <p role="status" className={css.told}>{told}</p>
        {add && <button type="button" className="primary" onClick={() => choose({ act: add, name: "" })}>{add.title}</button>}
      </div>
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      {!items && !error && <p role="status" className="quiet">{t("app.loading")}</p>}
      {items && (
        <div className={table.scroll} role="region" aria-label={title} tabIndex={0}>
          {found.length === 0 ? <p className={table.none}>{t(items.length ? "settings.none_found" : "settings.none")}</p> : (
            <table className={table.table}>
              <thead><tr>
                {columns.map((column) => <th key={column.title} scope="col">{column.title}</th>)}
                <th scope="col"><span className="unseen">{t("letters.acts")}</span></th>
              </tr></thead>
              <tbody>
                {found.slice(0, MOST).map((one) => (
                  <tr key={one.id}>
                    {columns.map(({ title: label, cell }, n) => n === 0
                      ? <th key={label} scope="row">{cell(one)}</th> : <td key={label} data-label={label}>{cell(one)}</td>)}
                    <td>
                      {acts(one).length > 0 && (
                        <div className={table.acts}>
                          <button type="button" aria-label={t("settings.change.of", { name: nameOf(one) })} onClick={() => open(one.id)}>{t("settings.change")}</button>
                        </div>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
      {found.length > MOST && <p className={css.told}>{t("settings.more", { n: found.length - MOST, most: number(MOST) })}</p>}
      {item && !chosen && !secret && (
        <Dialog title={nameOf(item)} close={() => open(undefined)}>
          <ul className={css.doings}>
            {acts(item).map((act) => (
              <li key={act.key}>
                <button type="button" className={act.isFinal ? css.final : undefined} onClick={() => choose({ act, name: nameOf(item) })}>{act.title}</button>
                <p>{act.hint}</p>
              </li>
            ))}
          </ul>
        </Dialog>
      )}
      {chosen && <Chosen act={chosen.act} name={chosen.name} run={run} close={close} />}
      {secret && <Secret {...secret} close={() => setSecret(undefined)} />}
    </div>
  );
}

function Chosen({ act, name, run, close }: { act: Act; name: string; run(values: Record<string, string>): Promise<void>; close(): void }) {
  const title = name ? t("settings.of", { what: act.title, name }) : act.title;

  if (act.content) return <Dialog title={title} close={close}>{act.content()}</Dialog>;
  if (act.fields) return <Form title={title} text={act.hint} fields={act.fields} yes={act.title} act={run} close={close} />;
  return <Confirm title={title} yes={act.title} isFinal={act.isFinal ?? false} act={() => run({})} close={close}><p>{act.hint}</p></Confirm>;
}
