"""What attributes of customers are called, in many languages, and how well a name fits one.

A name fits where it is one of the phrases, has one as its words, or, for a long phrase, within it.
"""

import re
from collections.abc import Mapping

from portfolio_ml.discovery.words import folded

_PHRASES: Mapping[str, str] = {
    "valid_from": "valid from, effective from, effective date, gültig ab, gültig von, gültig seit, "
    "valable à partir du, valide depuis, date d'effet, date effet, válido desde, vigente desde, "
    "fecha de vigencia, valido dal, valido da, data validità, geldig vanaf, geldig sinds, "
    "ingangsdatum, ważny od, válido a partir de",
    "signup_date": "signup date, sign up date, signup, registration date, registered at, "
    "registered on, join date, joined, joined at, created at, creation date, customer since, "
    "member since, client since, anmeldedatum, registrierungsdatum, registriert am, kunde seit, "
    "mitglied seit, eintrittsdatum, anlagedatum, angelegt am, date d'inscription, "
    "date inscription, date d'adhésion, date de création, client depuis, fecha de alta, "
    "fecha alta, fecha de registro, fecha registro, fecha de inscripción, cliente desde, "
    "data di registrazione, data registrazione, data iscrizione, data creazione, cliente dal, "
    "inschrijfdatum, registratiedatum, aanmelddatum, klant sinds, data de cadastro, "
    "data rejestracji, klient od",
    "ended_at": "ended at, end date, contract end, contract end date, cancelled at, canceled at, "
    "cancellation date, closed at, vertragsende, kündigungsdatum, gekündigt am, austrittsdatum, "
    "enddatum, date de fin, date fin, fin de contrat, date de résiliation, date résiliation, "
    "fecha de baja, fecha baja, fin de contrato, fecha fin, data fine, fine contratto, "
    "data cessazione, einddatum, opzegdatum, contract einde, data de término",
    "region": "region, region code, sales region, territory, state, province, country, "
    "bundesland, gebiet, vertriebsgebiet, land, région, département, pays, región, provincia, "
    "comunidad autónoma, país, regione, paese, regio, provincie, região, estado, województwo, kraj",
    "segment": "segment, customer segment, customer group, customer tier, kundensegment, "
    "kundengruppe, kundenklasse, segment client, groupe client, segmento, segmento cliente, "
    "segmento de cliente, grupo de clientes, gruppo clienti, klantsegment, klantgroep, "
    "segment klienta",
    "relationship_type": "relationship type, relationship, customer type, client type, "
    "contract type, account type, business type, kundenart, kundentyp, vertragsart, type client, "
    "type de client, type de contrat, type de relation, tipo cliente, tipo de cliente, "
    "tipo de relación, tipo de contrato, tipo relazione, tipo contratto, klanttype, relatietype, "
    "contracttype, typ klienta",
    "representative_id": "representative, representative id, sales representative, sales rep, "
    "sales rep id, rep id, account manager, account owner, salesperson, salesperson id, "
    "relationship manager, advisor, kundenbetreuer, betreuer, betreuer id, vertreter, "
    "vertriebsmitarbeiter, außendienst, verkäufer, représentant, commercial, vendeur, conseiller, "
    "conseiller id, representante, vendedor, gestor, asesor, comercial, rappresentante, venditore, "
    "agente, vertegenwoordiger, verkoper, accountmanager, przedstawiciel, opiekun",
    "birthday": "birthday, birth date, birthdate, date of birth, dob, geburtstag, geburtsdatum, "
    "date de naissance, date naissance, né le, fecha de nacimiento, fecha nacimiento, nacimiento, "
    "data di nascita, data nascita, geboortedatum, geboren, data de nascimento, data urodzenia",
    "income": "income, annual income, yearly income, household income, salary, einkommen, "
    "jahreseinkommen, haushaltseinkommen, gehalt, revenu, revenu annuel, salaire, ingresos, "
    "ingresos anuales, renta, reddito, reddito annuo, inkomen, jaarinkomen, rendimento, dochód",
    "service_cost": "service cost, service costs, cost to serve, servicekosten, betreuungskosten, "
    "coût de service, coût du service, coûts de service, coste de servicio, costo de servicio, "
    "costo servizio, costo del servizio, kosten service, custo de serviço, koszt obsługi",
    "referred_by": "referred by, referrer, referrer id, referral, geworben von, empfohlen von, "
    "werber, parrain, parrainé par, recommandé par, referido por, recomendado por, presentato da, "
    "segnalato da, aangebracht door, aanbevolen door, indicado por, polecony przez",
}
_SHORTEST_WITHIN = 6
_WITHIN, _AS_WORDS = 0.7, 0.9


def _joined(text: str) -> str:
    return "".join(re.findall(r"[^\W_]+", folded(text)))


_BY_ROLE = {role: frozenset(map(_joined, text.split(","))) for role, text in _PHRASES.items()}
ROLES = tuple(_PHRASES)
"""The attributes that can be guessed, those whose names say most first."""


def attribute_fit(role: str, name: str) -> float:
    """How well a name fits an attribute, from 0 to 1.

    Example:
        >>> attribute_fit("birthday", "Geburtsdatum"), attribute_fit("region", "customer_region")
        (1.0, 0.9)
        >>> attribute_fit("birthday", "region")
        0.0
    """
    whole, phrases = _joined(name), _BY_ROLE[role]
    if whole in phrases:
        return 1.0
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W_]+", folded(spaced))
    runs = {"".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1)}
    if runs & phrases:
        return _AS_WORDS
    is_within = any(len(phrase) >= _SHORTEST_WITHIN and phrase in whole for phrase in phrases)
    return _WITHIN if is_within else 0.0
