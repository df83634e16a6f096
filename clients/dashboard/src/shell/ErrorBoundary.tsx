import { Component, type ReactNode } from "react";
import { t } from "../i18n";

/** What fails below is told in its place; what lies beside goes on. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;

    if (!error) return this.props.children;
    return (
      <section role="alert" className="notice">
        <h1>{t("app.broken")}</h1>
        <p>{t("app.broken.hint", { message: error.message })}</p>
        <button type="button" onClick={() => this.setState({ error: null })}>{t("app.retry")}</button>
      </section>
    );
  }
}
